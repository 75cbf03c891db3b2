import { type Cancel, invalid, type MusterError } from "@muster/foundation";
import type {
  FrameworkInfo,
  Kill,
  Offer,
  Operation,
  Subscribed,
  SubscribeResponse,
  TaskGroup,
  TaskQuestion,
  TaskStatus,
} from "@muster/proto";
import type { Runtime } from "../runtime/runtime.ts";
import { type ClaimAnswer, type ClaimOptions, type ClaimRequest, PendingClaims, refused } from "./claims.ts";
import { Demands } from "./demands.ts";
import { HeldUpdates } from "./held-updates.ts";
import { TaskLedger } from "./ledger.ts";
import { frameworkInfo, makeDroppedStatus } from "./messages.ts";
import { killAgainMs, PendingKills } from "./pending-kills.ts";
import { ReconciliationRounds, reconcileIntervalMs } from "./reconciliation.ts";
import { RefusalPolicy } from "./refusals.ts";
import { ReviveLimiter } from "./revivals.ts";
import { Session, type SessionListener } from "./session.ts";
import type { AcceptOptions, DemandedShape, Scheduler, SchedulerConfig, SchedulerHandler } from "./types.ts";

/** Bytes of one message to an executor. */
const executorMessageBytesMax = 64 * 1024;

/** A framework's session with the master: it reconnects, acknowledges, reconciles and batches by itself. */
export function createScheduler(runtime: Runtime, config: SchedulerConfig, handler: SchedulerHandler): Scheduler {
  return new Driver(runtime, config, handler);
}

class Driver implements Scheduler, SessionListener {
  readonly #runtime: Runtime;
  readonly #handler: SchedulerHandler;
  readonly #session: Session;
  readonly #ledger = new TaskLedger();
  readonly #rounds = new ReconciliationRounds(this.#ledger);
  readonly #refusals = new RefusalPolicy();
  readonly #revivals = new ReviveLimiter();
  readonly #offers = new Map<string, { readonly agentId: string; readonly role: string }>();
  readonly #suppressed: Set<string>;
  readonly #kills = new PendingKills();
  readonly #held = new HeldUpdates();
  readonly #claims: PendingClaims;
  readonly #demands = new Demands();
  #info: FrameworkInfo;
  /** What the subscription of this connection said. */
  #announced: { readonly info: FrameworkInfo; readonly suppressed: ReadonlySet<string> };
  #cancelRevive: Cancel | undefined;

  constructor(runtime: Runtime, config: SchedulerConfig, handler: SchedulerHandler) {
    this.#runtime = runtime;
    this.#handler = handler;
    this.#info = frameworkInfo(config.framework);
    this.#claims = new PendingClaims(this.#ledger, runtime.random.stream("claims"));
    this.#suppressed = new Set(config.suppressedRoles ?? []);
    this.#announced = { info: this.#info, suppressed: this.#suppressed };
    this.#session = new Session(runtime, config, this);
  }

  get isSubscribed(): boolean {
    return this.#session.isOpen;
  }

  get frameworkId(): string | undefined {
    return this.#session.frameworkId;
  }

  get roles(): readonly string[] {
    return this.#info.roles;
  }

  get liveTaskCount(): number {
    return this.#ledger.liveCount;
  }

  start(): void {
    this.#session.start();
  }

  stop(done?: () => void): void {
    this.#session.stop();
    this.#cancelRevive?.();
    this.#cancelRevive = undefined;
    if (done) this.#runtime.clock.after(0, done);
  }

  accept(offerIds: readonly string[], groups: readonly TaskGroup[], options: AcceptOptions = {}): void {
    let agentId = "";
    let role = "";
    for (const offerId of offerIds) {
      const offer = this.#offers.get(offerId);
      if (offer === undefined) continue;
      ({ agentId, role } = offer);
      this.#offers.delete(offerId);
    }
    if (!this.isSubscribed) {
      if (groups.length > 0) this.#dropLaunches(groups);
      this.#failOperations([...(options.before ?? []), ...(options.operations ?? [])], agentId);
      return;
    }
    let bytes = 64;
    for (const group of groups) {
      bytes += 48;
      for (const task of group.tasks) {
        this.#ledger.launched(task.taskId, group.launchId, agentId);
        bytes += 160 + task.spec.length;
      }
    }
    if (groups.length > 0) this.#refusals.used(role, agentId);
    const operations: Operation[] = [...(options.before ?? [])];
    if (groups.length > 0) operations.push({ operationId: "", launch: { groups: groups as TaskGroup[] } });
    if (options.operations) operations.push(...options.operations);
    bytes += 256 * operations.length;
    const refuseMs = options.refuseMs ?? this.#refusals.nextMs(role, agentId);
    this.#session.add("accepts", { offerIds: offerIds as string[], operations, filters: { refuseMs } }, bytes);
    this.#session.flushSoon();
  }

  claim(
    requests: readonly ClaimRequest[],
    options: ClaimOptions,
    done: (answers: readonly ClaimAnswer[]) => void,
  ): void {
    if (requests.length === 0 || !this.isSubscribed) {
      const message = "not sent: there is no session with a master";
      const answers = requests.map((request) => refused(request, "unavailable", message));
      this.#runtime.clock.after(0, () => done(answers));
      return;
    }
    for (const { claim, bytes } of this.#claims.begin(requests, this.#info.roles[0] ?? "", options, done))
      this.#session.add("claims", claim, bytes);
    this.#session.flushSoon();
  }

  decline(offerIds: readonly string[], refuseMs?: number): void {
    for (const offerId of offerIds) {
      const offer = this.#offers.get(offerId);
      if (offer === undefined) continue;
      this.#offers.delete(offerId);
      const filters = { refuseMs: refuseMs ?? this.#refusals.nextMs(offer.role, offer.agentId) };
      this.#session.add("declines", { offerIds: [offerId], filters }, 48);
    }
    this.#session.flushSoon();
  }

  answerInverseOffers(inverseOfferIds: readonly string[], accepted: boolean, refuseMs?: number): void {
    if (inverseOfferIds.length === 0 || !this.isSubscribed) return;
    const filters = refuseMs === undefined ? null : { refuseMs };
    const answer = { inverseOfferIds: [...inverseOfferIds], accepted, filters };
    this.#session.add("inverseOfferAnswers", answer, 16 + inverseOfferIds.length * 32);
    this.#session.flushSoon();
  }

  kill(taskId: string, graceMs?: number): void {
    const kill: Kill = { taskId, agentId: this.#ledger.agentOf(taskId) };
    if (graceMs !== undefined) kill.graceMs = graceMs;
    if (this.#ledger.isLive(taskId)) this.#kills.want(kill);
    if (!this.isSubscribed) return;
    this.#session.add("kills", kill, 96);
    this.#session.flushSoon();
  }

  killUnhealthy(taskId: string): void {
    if (!this.isSubscribed) return;
    this.#session.add("kills", { taskId, agentId: this.#ledger.agentOf(taskId), unhealthy: true }, 96);
    this.#session.flushSoon();
  }

  demand(demands: readonly DemandedShape[], role = this.#info.roles[0] ?? ""): void {
    this.#suppressed.delete(role);
    const changes = this.#demands.say(role, demands);
    if (!this.isSubscribed) return;
    for (const change of changes) this.#session.add("demands", change, 160);
    this.#session.flushSoon();
  }

  suppress(roles: readonly string[] = this.#info.roles): void {
    const fresh = roles.filter((role) => !this.#suppressed.has(role));
    for (const role of roles) {
      this.#suppressed.add(role);
      this.#revivals.forget(role);
      this.#demands.forget(role);
    }
    if (fresh.length === 0 || !this.isSubscribed) return;
    this.#session.add("suppresses", { roles: fresh }, 64);
    this.#session.flushSoon();
  }

  revive(roles: readonly string[] = this.#info.roles): void {
    const nowMs = this.#runtime.clock.monotonicMs();
    for (const role of roles) {
      this.#suppressed.delete(role);
      this.#refusals.revived(role);
      if (this.isSubscribed && this.#revivals.ask(role, nowMs)) this.#session.add("revives", { roles: [role] }, 64);
    }
    this.#session.flushSoon();
    this.#reviveLater();
  }

  changeRoles(roles: readonly string[]): void {
    this.#info = { ...this.#info, roles: [...roles] };
    for (const role of this.#suppressed) if (!roles.includes(role)) this.#suppressed.delete(role);
    if (!this.isSubscribed) return;
    this.#session.add("frameworkUpdate", this.#info, 512);
    this.#session.flushSoon();
  }

  sendToExecutor(agentId: string, executorId: string, data: Uint8Array | string): boolean {
    const bytes = Buffer.from(data);
    if (bytes.length > executorMessageBytesMax)
      throw invalid("data", `must have at most ${executorMessageBytesMax} bytes`);
    if (!this.isSubscribed) return false;
    this.#session.add("executorMessages", { agentId, executorId, data: bytes }, bytes.length + 64);
    this.#session.flushSoon();
    return true;
  }

  shutDownExecutor(agentId: string, executorId: string): boolean {
    if (!this.isSubscribed) return false;
    this.#session.add("executorShutdowns", { agentId, executorId });
    this.#session.flushSoon();
    return true;
  }

  acknowledge(status: TaskStatus): void {
    for (const held of this.#held.release(status)) this.#sendAcknowledgement(held);
  }

  reconcile(): void {
    this.#ask(false);
  }

  #ask(isOfUnseen: boolean): void {
    if (!this.isSubscribed) return;
    for (const call of this.#rounds.begin(isOfUnseen))
      this.#session.add("reconciles", call as never, 64 + call.tasks.length * 64);
    this.#session.flushSoon();
  }

  inDoubt(): readonly TaskQuestion[] {
    return this.#rounds.inDoubt;
  }

  connecting(): { framework: FrameworkInfo; suppressedRoles: string[] } {
    this.#rounds.reconnected();
    this.#kills.reconnected();
    this.#offers.clear();
    this.#announced = { info: this.#info, suppressed: new Set(this.#suppressed) };
    // What is wanted of the others is said once the session is open; until then they want nothing.
    return {
      framework: this.#info,
      suppressedRoles: [...this.#suppressed, ...this.#demands.roles(this.#info.roles)],
    };
  }

  opened({ frameworkId, clusterId, agentsAwaited }: Subscribed): void {
    this.#handler.subscribed?.({ frameworkId, clusterId, agentsAwaited: [...agentsAwaited] });
    for (const kill of this.#kills.all()) this.#session.add("kills", kill, 96);
    this.#catchUp();
    for (const demand of this.#demands.all()) this.#session.add("demands", demand, 160);
    this.#reconcileAndAgain();
  }

  ended(): void {
    this.#offers.clear();
    this.#claims.sessionEnded();
  }

  disconnected(error: MusterError | undefined): void {
    this.#handler.disconnected?.(error);
  }

  received(message: SubscribeResponse): void {
    for (const rescind of message.rescinds) {
      this.#offers.delete(rescind.offerId);
      this.#handler.rescinded?.(rescind.offerId, rescind.reason);
    }
    for (const status of message.updates) this.#update(status);
    for (const marker of message.reconciled) this.#roundEnded(this.#rounds.ended(marker));
    for (const lost of message.agentsLost) this.#handler.agentLost?.(lost.agentId, lost.gone);
    for (const refusal of message.refusals) {
      this.#runtime.log.debug(
        { call: refusal.call, subject: refusal.subjectId, reason: refusal.refusal?.message },
        "call refused",
      );
      if (refusal.call === "kill" && refusal.refusal?.kind === "unavailable") this.#killAgain(refusal.subjectId);
      this.#handler.refused?.(refusal);
    }
    if (message.offers.length > 0) this.#take(message.offers);
    for (const result of message.claimResults) this.#claims.answered(result);
    for (const { agentId, executorId, data } of message.executorMessages)
      this.#handler.executorMessage?.(agentId, executorId, data);
    for (const result of message.operationResults) {
      this.#handler.operationEnded?.(result);
      this.#session.add("operationAcknowledgements", { operationId: result.operationId }, 48);
      this.#session.flushSoon();
    }
    if (message.inverseOffers.length > 0) this.#handler.inverseOffers?.(message.inverseOffers);
    for (const { inverseOfferId, reason } of message.inverseRescinds)
      this.#handler.inverseRescinded?.(inverseOfferId, reason);
  }

  /** Tells what has changed since the subscription was sent: nobody would repeat it, and a role would starve. */
  #catchUp(): void {
    const { info, suppressed } = this.#announced;
    if (info !== this.#info) this.#session.add("frameworkUpdate", this.#info, 512);
    const fresh = [...this.#suppressed].filter((role) => !suppressed.has(role));
    if (fresh.length > 0) this.#session.add("suppresses", { roles: fresh }, 64);
    const revived = this.#info.roles.filter((role) => suppressed.has(role) && !this.#suppressed.has(role));
    if (revived.length > 0) this.#session.add("revives", { roles: revived }, 64);
    this.#announced = { info: this.#info, suppressed: new Set(this.#suppressed) };
  }

  #reconcileAndAgain(): void {
    this.reconcile();
    this.#session.after(reconcileIntervalMs, () => this.#reconcileAndAgain());
  }

  #roundEnded(end: ReturnType<ReconciliationRounds["ended"]>): void {
    if (end === undefined) return;
    const { againInMs, isOfUnseen } = end;
    if (againInMs !== undefined) this.#session.after(againInMs, () => this.#ask(isOfUnseen));
    this.#handler.reconciled?.(end.result);
  }

  /** A master that has just begun knows a task only once its agent is back; nobody else would repeat the wish. */
  #killAgain(taskId: string): void {
    if (!this.#kills.doubted(taskId)) return;
    this.#session.after(killAgainMs, () => {
      for (const kill of this.#kills.takeDoubted()) this.#session.add("kills", kill, 96);
      this.#session.flushSoon();
    });
  }

  #update(status: TaskStatus): void {
    const isNews = this.#ledger.judge(status) === "news";
    if (isNews) {
      if (!this.#kills.isEmpty && !this.#ledger.isLive(status.taskId)) this.#kills.ended(status.taskId);
      if (this.#handler.update(status) === "later") {
        this.#held.hold(status);
        return;
      }
    }
    if (!this.#held.addRepetition(status) && status.updateId !== "") this.#sendAcknowledgement(status);
  }

  #sendAcknowledgement({ taskId, agentId, updateId }: TaskStatus): void {
    this.#session.add("acknowledgements", { taskId, agentId, updateId }, 80);
    this.#session.flushSoon();
  }

  #take(offers: readonly Offer[]): void {
    for (const { offerId, agentId, role } of offers) {
      this.#offers.set(offerId, { agentId, role });
      this.#revivals.sawAgent(agentId);
    }
    this.#handler.offers(offers);
  }

  #reviveLater(): void {
    const { clock } = this.#runtime;
    const inMs = this.#revivals.dueInMs(clock.monotonicMs());
    if (inMs === undefined || this.#cancelRevive !== undefined) return;
    this.#cancelRevive = clock.after(Math.max(inMs, 1), () => {
      this.#cancelRevive = undefined;
      const roles = this.#revivals.due(clock.monotonicMs());
      if (roles.length > 0) this.revive(roles);
      else this.#reviveLater();
    });
  }

  /** What was asked for without a session was never said. */
  #failOperations(operations: readonly Operation[], agentId: string): void {
    const refusal = { kind: "unavailable", message: "there is no session with the master", field: "", retryAfterMs: 0 };
    const named = operations.filter(({ operationId }) => operationId !== "");
    if (named.length === 0) return;
    this.#runtime.clock.after(0, () => {
      for (const { operationId } of named)
        this.#handler.operationEnded?.({ operationId, refusal, reservationId: "", agentId });
    });
  }

  /** A launch that can't be is answered by a status, never by silence. */
  #dropLaunches(groups: readonly TaskGroup[]): void {
    this.#runtime.clock.after(0, () => {
      const at = this.#runtime.clock.epochMs();
      for (const group of groups)
        for (const task of group.tasks) this.#handler.update(makeDroppedStatus(task.taskId, group.launchId, at));
    });
  }
}
