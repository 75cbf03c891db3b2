import { type Cancel, type ErrorKind, invalid, Masters, MusterError, Outbox, type Outlet } from "@muster/foundation";
import type {
  FrameworkInfo,
  Kill,
  Offer,
  Operation,
  SubscribeRequest,
  SubscribeResponse,
  TaskGroup,
  TaskQuestion,
  TaskStatus,
} from "@muster/proto";
import { Backoff, reconnectLimits } from "../connection/backoff.ts";
import { HeaderCheck } from "../connection/headers.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { createStateClient } from "../state/state-client.ts";
import { type ClaimAnswer, type ClaimOptions, type ClaimRequest, PendingClaims, refused } from "./claims.ts";
import { Demands } from "./demands.ts";
import { HeldUpdates } from "./held-updates.ts";
import { durableIdentity, type Identity, passingIdentity } from "./identity.ts";
import { TaskLedger } from "./ledger.ts";
import { frameworkInfo, makeDroppedStatus, requestShape } from "./messages.ts";
import { ReconciliationRounds, reconcileIntervalMs } from "./reconciliation.ts";
import { RefusalPolicy } from "./refusals.ts";
import { ReviveLimiter } from "./revivals.ts";
import type { AcceptOptions, DemandedShape, Scheduler, SchedulerConfig, SchedulerHandler } from "./types.ts";

/**
 * What a framework has decided in one turn waits in its own memory: accepts of tens of thousands of tasks are no sign of
 * a master that does not read.
 */
const outboxLimits = { queuedBytesMax: 64 * 1024 * 1024 };
/** So many heartbeats may be missing before the connection counts as dead. */
const heartbeatsMissedMax = 3;
/** A session that is not open after so long is tried anew. */
const subscribeTimeoutMs = 10_000;
/** Bytes of one message to an executor. */
const executorMessageBytesMax = 64 * 1024;
/** Kills that a master could not judge yet, since the task's agent is not back, are told again after so long. */
const killAgainMs = 1_000;

/** Ends of a session that say that the next will end so too, for a while. */
const refusals: ReadonlySet<ErrorKind> = new Set([
  "invalid",
  "unauthenticated",
  "forbidden",
  "exists",
  "wrong-state",
  "unsupported",
]);

/** A framework's session with the master: it reconnects, acknowledges, reconciles and batches by itself. */
export function createScheduler(runtime: Runtime, config: SchedulerConfig, handler: SchedulerHandler): Scheduler {
  return new Driver(runtime, config, handler);
}

class Driver implements Scheduler {
  readonly #runtime: Runtime;
  readonly #handler: SchedulerHandler;
  readonly #masters: Masters;
  readonly #backoff: Backoff;
  readonly #identity: Identity;
  readonly #headers = new HeaderCheck();
  readonly #ledger = new TaskLedger();
  readonly #rounds = new ReconciliationRounds(this.#ledger);
  readonly #refusals = new RefusalPolicy();
  readonly #revivals = new ReviveLimiter();
  readonly #offers = new Map<string, { readonly agentId: string; readonly role: string }>();
  readonly #suppressed: Set<string>;
  readonly #kills = new Map<string, Kill>();
  /** Tasks whose kill this session's master could not judge. */
  readonly #killsInDoubt = new Set<string>();
  readonly #held = new HeldUpdates();
  readonly #claims: PendingClaims;
  readonly #demands = new Demands();
  /** Reconciliations that wait, and checks of liveness: they end with the session. */
  readonly #sessionTimers = new Set<Cancel>();
  #info: FrameworkInfo;
  /** What the subscription of this connection said. */
  #announced: { readonly info: FrameworkInfo; readonly suppressed: ReadonlySet<string> };
  #outlet: Outlet<SubscribeRequest> | undefined;
  #outbox: Outbox<SubscribeRequest> | undefined;
  #isFlushDue = false;
  #isStarted = false;
  #isSubscribed = false;
  #frameworkId: string | undefined;
  #lastHeardMs = 0;
  #cancelNext: Cancel | undefined;
  #cancelRevive: Cancel | undefined;

  constructor(runtime: Runtime, config: SchedulerConfig, handler: SchedulerHandler) {
    this.#runtime = runtime;
    this.#handler = handler;
    this.#masters = new Masters(config.address);
    this.#backoff = new Backoff(runtime.random.stream("scheduler"));
    this.#info = frameworkInfo(config.framework);
    this.#claims = new PendingClaims(this.#ledger, runtime.random.stream("claims"));
    this.#suppressed = new Set(config.suppressedRoles ?? []);
    this.#announced = { info: this.#info, suppressed: this.#suppressed };
    const { clock, random } = runtime;
    this.#identity =
      config.durable === false
        ? passingIdentity(clock, random.stream("identity"))
        : durableIdentity(
            clock,
            random.stream("identity"),
            createStateClient(runtime, { address: config.address, framework: config.framework.name }),
          );
  }

  get isSubscribed(): boolean {
    return this.#isSubscribed;
  }

  get frameworkId(): string | undefined {
    return this.#frameworkId;
  }

  get roles(): readonly string[] {
    return this.#info.roles;
  }

  get liveTaskCount(): number {
    return this.#ledger.liveCount;
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#identify();
  }

  stop(done?: () => void): void {
    this.#isStarted = false;
    this.#cancelNext?.();
    this.#cancelRevive?.();
    this.#cancelRevive = undefined;
    this.#endSessionTimers();
    this.#outbox?.flush();
    this.#outlet?.end();
    this.#outlet = undefined;
    this.#outbox = undefined;
    this.#isSubscribed = false;
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
    if (this.#outbox === undefined || !this.#isSubscribed) {
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
    this.#outbox.add("accepts", { offerIds: offerIds as string[], operations, filters: { refuseMs } }, bytes);
    this.#flushSoon();
  }

  claim(
    requests: readonly ClaimRequest[],
    options: ClaimOptions,
    done: (answers: readonly ClaimAnswer[]) => void,
  ): void {
    if (requests.length === 0 || this.#outbox === undefined || !this.#isSubscribed) {
      const message = "not sent: there is no session with a master";
      const answers = requests.map((request) => refused(request, "unavailable", message));
      this.#runtime.clock.after(0, () => done(answers));
      return;
    }
    for (const { claim, bytes } of this.#claims.begin(requests, this.#info.roles[0] ?? "", options, done))
      this.#outbox.add("claims", claim, bytes);
    this.#flushSoon();
  }

  decline(offerIds: readonly string[], refuseMs?: number): void {
    for (const offerId of offerIds) {
      const offer = this.#offers.get(offerId);
      if (offer === undefined) continue;
      this.#offers.delete(offerId);
      const filters = { refuseMs: refuseMs ?? this.#refusals.nextMs(offer.role, offer.agentId) };
      this.#outbox?.add("declines", { offerIds: [offerId], filters }, 48);
    }
    this.#flushSoon();
  }

  answerInverseOffers(inverseOfferIds: readonly string[], accepted: boolean, refuseMs?: number): void {
    if (inverseOfferIds.length === 0 || !this.#isSubscribed) return;
    const filters = refuseMs === undefined ? null : { refuseMs };
    const answer = { inverseOfferIds: [...inverseOfferIds], accepted, filters };
    this.#outbox?.add("inverseOfferAnswers", answer, 16 + inverseOfferIds.length * 32);
    this.#flushSoon();
  }

  kill(taskId: string, graceMs?: number): void {
    const kill: Kill = { taskId, agentId: this.#ledger.agentOf(taskId) };
    if (graceMs !== undefined) kill.graceMs = graceMs;
    if (this.#ledger.isLive(taskId)) this.#kills.set(taskId, kill);
    if (!this.#isSubscribed) return;
    this.#outbox?.add("kills", kill, 96);
    this.#flushSoon();
  }

  killUnhealthy(taskId: string): void {
    if (!this.#isSubscribed) return;
    this.#outbox?.add("kills", { taskId, agentId: this.#ledger.agentOf(taskId), unhealthy: true }, 96);
    this.#flushSoon();
  }

  demand(demands: readonly DemandedShape[], role = this.#info.roles[0] ?? ""): void {
    this.#suppressed.delete(role);
    const changes = this.#demands.say(role, demands);
    if (!this.#isSubscribed) return;
    for (const change of changes) this.#outbox?.add("demands", change, 160);
    this.#flushSoon();
  }

  suppress(roles: readonly string[] = this.#info.roles): void {
    const fresh = roles.filter((role) => !this.#suppressed.has(role));
    for (const role of roles) {
      this.#suppressed.add(role);
      this.#revivals.forget(role);
      this.#demands.forget(role);
    }
    if (fresh.length === 0 || !this.#isSubscribed) return;
    this.#outbox?.add("suppresses", { roles: fresh }, 64);
    this.#flushSoon();
  }

  revive(roles: readonly string[] = this.#info.roles): void {
    const nowMs = this.#runtime.clock.monotonicMs();
    for (const role of roles) {
      this.#suppressed.delete(role);
      this.#refusals.revived(role);
      if (this.#isSubscribed && this.#revivals.ask(role, nowMs)) this.#outbox?.add("revives", { roles: [role] }, 64);
    }
    this.#flushSoon();
    this.#reviveLater();
  }

  changeRoles(roles: readonly string[]): void {
    this.#info = { ...this.#info, roles: [...roles] };
    for (const role of this.#suppressed) if (!roles.includes(role)) this.#suppressed.delete(role);
    if (!this.#isSubscribed) return;
    this.#outbox?.add("frameworkUpdate", this.#info, 512);
    this.#flushSoon();
  }

  sendToExecutor(agentId: string, executorId: string, data: Uint8Array | string): boolean {
    const bytes = Buffer.from(data);
    if (bytes.length > executorMessageBytesMax)
      throw invalid("data", `must have at most ${executorMessageBytesMax} bytes`);
    if (!this.#isSubscribed) return false;
    this.#outbox?.add("executorMessages", { agentId, executorId, data: bytes }, bytes.length + 64);
    this.#flushSoon();
    return true;
  }

  shutDownExecutor(agentId: string, executorId: string): boolean {
    if (!this.#isSubscribed) return false;
    this.#outbox?.add("executorShutdowns", { agentId, executorId });
    this.#flushSoon();
    return true;
  }

  acknowledge(status: TaskStatus): void {
    for (const held of this.#held.release(status)) this.#sendAcknowledgement(held);
  }

  reconcile(): void {
    this.#ask(false);
  }

  #ask(isOfUnseen: boolean): void {
    if (!this.#isSubscribed) return;
    for (const call of this.#rounds.begin(isOfUnseen))
      this.#outbox?.add("reconciles", call as never, 64 + call.tasks.length * 64);
    this.#flushSoon();
  }

  inDoubt(): readonly TaskQuestion[] {
    return this.#rounds.inDoubt;
  }

  #identify(): void {
    this.#cancelNext = this.#identity.obtain((frameworkId) => {
      this.#frameworkId = frameworkId;
      this.#connect();
    });
  }

  #connect(): void {
    const { clock, transport } = this.#runtime;
    this.#headers.reconnected();
    this.#rounds.reconnected();
    this.#killsInDoubt.clear();
    this.#offers.clear();
    let isOver = false;
    const outlet: Outlet<SubscribeRequest> = transport.open("Scheduling.Subscribe", this.#masters.current, {
      receive: (message) => {
        if (!isOver && this.#outlet === outlet) this.#receive(message);
      },
      drained: () => {
        if (!isOver && this.#outlet === outlet) this.#outbox?.drained();
      },
      closed: (error) => {
        if (isOver || this.#outlet !== outlet) return;
        isOver = true;
        this.#lost(error);
      },
    });
    this.#outlet = outlet;
    this.#outbox = new Outbox(outlet, requestShape, outboxLimits);
    this.#announced = { info: this.#info, suppressed: new Set(this.#suppressed) };
    this.#outbox.add("subscription", {
      framework: this.#info,
      frameworkId: this.#frameworkId ?? "",
      // What is wanted of the others is said once the session is open; until then they want nothing.
      suppressedRoles: [...this.#suppressed, ...this.#demands.roles(this.#info.roles)],
      epochSeen: this.#headers.epoch,
    });
    this.#outbox.flush();
    this.#lastHeardMs = clock.monotonicMs();
    this.#watchSilence(subscribeTimeoutMs);
  }

  /** One timer a session, not one a message. */
  #watchSilence(limitMs: number): void {
    const { clock } = this.#runtime;
    const leftMs = this.#lastHeardMs + limitMs - clock.monotonicMs();
    this.#afterInSession(Math.max(leftMs, 1), () => {
      if (clock.monotonicMs() - this.#lastHeardMs < limitMs) return this.#watchSilence(limitMs);
      this.#giveUp(
        new MusterError("unavailable", `the master at ${this.#masters.current} was silent for ${limitMs} ms`),
      );
    });
  }

  #giveUp(error: MusterError): void {
    this.#outlet?.end(error);
    this.#lost(error);
  }

  #lost(error: MusterError | undefined): void {
    const wasSubscribed = this.#isSubscribed;
    this.#outlet = undefined;
    this.#outbox = undefined;
    this.#isSubscribed = false;
    this.#endSessionTimers();
    this.#offers.clear();
    if (!this.#isStarted) return;
    this.#claims.sessionEnded();
    this.#masters.next(error);
    const isOver = error?.kind === "wrong-state" && error.field === "subscription.framework_id";
    if (isOver && this.#frameworkId !== undefined) this.#identity.isOver(this.#frameworkId);
    // What a refusal says stays true for a while: asking again at once would only burden the master.
    const isRefused = error !== undefined && refusals.has(error.kind) && !isOver;
    const delayMs = isRefused ? reconnectLimits.lastMs : this.#backoff.nextMs(error);
    const level = wasSubscribed || isRefused ? "warn" : "debug";
    this.#runtime.log[level](
      { reason: error?.message ?? "closed by the master", delayMs },
      "session ended, will try again",
    );
    this.#cancelNext = this.#runtime.clock.after(delayMs, () => this.#identify());
    if (wasSubscribed) this.#handler.disconnected?.(error);
  }

  #receive(message: SubscribeResponse): void {
    const verdict = this.#headers.judge(message.header);
    if (verdict === "foreign") return;
    if (verdict !== "fresh") {
      const why = verdict === "deposed" ? "a deposed master answers" : "a message of the master is missing";
      this.#giveUp(new MusterError("unavailable", why));
      return;
    }
    this.#lastHeardMs = this.#runtime.clock.monotonicMs();
    if (message.subscribed) this.#subscribed(message.subscribed);
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
      this.#outbox?.add("operationAcknowledgements", { operationId: result.operationId }, 48);
      this.#flushSoon();
    }
    if (message.inverseOffers.length > 0) this.#handler.inverseOffers?.(message.inverseOffers);
    for (const { inverseOfferId, reason } of message.inverseRescinds)
      this.#handler.inverseRescinded?.(inverseOfferId, reason);
  }

  #subscribed(subscribed: NonNullable<SubscribeResponse["subscribed"]>): void {
    const { frameworkId, clusterId, heartbeatIntervalMs, agentsAwaited } = subscribed;
    this.#isSubscribed = true;
    this.#frameworkId = frameworkId;
    this.#backoff.reset();
    this.#endSessionTimers();
    this.#watchSilence(Math.max(heartbeatIntervalMs, 1_000) * heartbeatsMissedMax);
    this.#runtime.log.info({ frameworkId, clusterId }, "subscribed");
    this.#handler.subscribed?.({ frameworkId, clusterId, agentsAwaited: [...agentsAwaited] });
    for (const kill of this.#kills.values()) this.#outbox?.add("kills", kill, 96);
    this.#catchUp();
    for (const demand of this.#demands.all()) this.#outbox?.add("demands", demand, 160);
    this.#reconcileAndAgain();
  }

  /** Tells what has changed since the subscription was sent: nobody would repeat it, and a role would starve. */
  #catchUp(): void {
    const { info, suppressed } = this.#announced;
    if (info !== this.#info) this.#outbox?.add("frameworkUpdate", this.#info, 512);
    const fresh = [...this.#suppressed].filter((role) => !suppressed.has(role));
    if (fresh.length > 0) this.#outbox?.add("suppresses", { roles: fresh }, 64);
    const revived = this.#info.roles.filter((role) => suppressed.has(role) && !this.#suppressed.has(role));
    if (revived.length > 0) this.#outbox?.add("revives", { roles: revived }, 64);
    this.#announced = { info: this.#info, suppressed: new Set(this.#suppressed) };
  }

  #reconcileAndAgain(): void {
    this.reconcile();
    this.#afterInSession(reconcileIntervalMs, () => this.#reconcileAndAgain());
  }

  #roundEnded(end: ReturnType<ReconciliationRounds["ended"]>): void {
    if (end === undefined) return;
    const { againInMs, isOfUnseen } = end;
    if (againInMs !== undefined) this.#afterInSession(againInMs, () => this.#ask(isOfUnseen));
    this.#handler.reconciled?.(end.result);
  }

  /** A master that has just begun knows a task only once its agent is back; nobody else would repeat the wish. */
  #killAgain(taskId: string): void {
    if (!this.#kills.has(taskId)) return;
    this.#killsInDoubt.add(taskId);
    if (this.#killsInDoubt.size > 1) return;
    this.#afterInSession(killAgainMs, () => {
      for (const id of this.#killsInDoubt) {
        const kill = this.#kills.get(id);
        if (kill) this.#outbox?.add("kills", kill, 96);
      }
      this.#killsInDoubt.clear();
      this.#flushSoon();
    });
  }

  #update(status: TaskStatus): void {
    const isNews = this.#ledger.judge(status) === "news";
    if (isNews) {
      if (this.#kills.size > 0 && !this.#ledger.isLive(status.taskId)) this.#kills.delete(status.taskId);
      if (this.#handler.update(status) === "later") {
        this.#held.hold(status);
        return;
      }
    }
    if (!this.#held.addRepetition(status) && status.updateId !== "") this.#sendAcknowledgement(status);
  }

  #sendAcknowledgement({ taskId, agentId, updateId }: TaskStatus): void {
    this.#outbox?.add("acknowledgements", { taskId, agentId, updateId }, 80);
    this.#flushSoon();
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

  /** A launch that can't be is answered by a status, never by silence. */
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

  #dropLaunches(groups: readonly TaskGroup[]): void {
    this.#runtime.clock.after(0, () => {
      const at = this.#runtime.clock.epochMs();
      for (const group of groups)
        for (const task of group.tasks) this.#handler.update(makeDroppedStatus(task.taskId, group.launchId, at));
    });
  }

  #flushSoon(): void {
    if (this.#isFlushDue || this.#outbox === undefined) return;
    this.#isFlushDue = true;
    this.#runtime.clock.after(0, () => {
      this.#isFlushDue = false;
      this.#outbox?.flush();
    });
  }

  #afterInSession(delayMs: number, wake: () => void): void {
    const cancel = this.#runtime.clock.after(delayMs, () => {
      this.#sessionTimers.delete(cancel);
      wake();
    });
    this.#sessionTimers.add(cancel);
  }

  #endSessionTimers(): void {
    for (const cancel of this.#sessionTimers) cancel();
    this.#sessionTimers.clear();
  }
}
