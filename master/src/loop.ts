import { type Cancel, type Clock, type Log, MusterError, type Result, type Store } from "@muster/foundation";
import type { Affected } from "@muster/proto";
import { allocate } from "./core/allocate.ts";
import type { Core, Now } from "./core/core.ts";
import type { Effect, EventChange, Input } from "./core/effects.ts";
import type { Offer } from "./core/model.ts";
import { offerBytes, offerMessage } from "./core/offer-messages.ts";
import type { OperatorCommand } from "./core/operator/commands.ts";
import { settleInverseOffers } from "./core/operator/inverse-offers.ts";
import { settleDrains } from "./core/operator/settle.ts";
import { nextDueMs, step } from "./core/step.ts";
import { EventRing } from "./feeds/ring.ts";
import { RoleNews } from "./feeds/roles.ts";
import { Watchers } from "./feeds/watchers.ts";
import type { MasterMetrics } from "./metrics.ts";
import { RegistryWriter } from "./registry/writer.ts";
import type { Sessions } from "./sessions.ts";

/** Of one tick, milliseconds in which messages are sent to frameworks and agents; what is left goes in the next. */
const sendingSliceMs = 2;
/** Of one tick, milliseconds in which readers of the feed are served, each with one message, before others have a turn. */
const feedSliceMs = 5;
/** Of one tick, milliseconds in which agents whose figures have changed go into the feed. */
const figuresSliceMs = 2;
/** While an allocation goes on over several ticks, offers wait so long for others to go with them. */
const offersWaitMsMax = 50;

export interface LoopParts {
  readonly clock: Clock;
  readonly store: Store;
  readonly log: Log;
  readonly metrics: MasterMetrics;
  readonly sessions: Sessions;
  readonly allocationSliceMs: number;
  readonly figuresIntervalMs: number;
  /** Whether this master leads beyond doubt: O(1), asked before each input and before anything is sent. */
  readonly leads: () => boolean;
  /** The reign is over, for a reason: called once. */
  readonly failed: (error: MusterError) => void;
}

/**
 * The only place where the master's state changes. Inputs are stepped at once, in the order in which they come; what
 * they cause for peers, store and feed is collected and goes out once at the end of the tick, after an allocation.
 */
export class Loop {
  readonly core: Core;
  readonly ring = new EventRing();
  readonly watchers: Watchers;
  readonly #parts: LoopParts;
  readonly #writer: RegistryWriter;
  readonly #queue: Input[] = [];
  readonly #answers = new Map<number, (result: Result<Affected>) => void>();
  #callCount = 0;
  #stepping = false;
  #tick: Cancel | undefined;
  #timer: Cancel | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #figuresAtMs = 0;
  readonly #roleNews = new RoleNews();
  #figuresTimer: Cancel | undefined;
  /** Tells, to whoever reads it, who is awaited then: there may be tens of thousands, and nobody who reads. */
  readonly #awaitedNews: EventChange;
  /** Since when an allocation goes on that was not done within one tick. */
  #allocatingSinceMs: number | undefined;
  #stopped = false;

  constructor(core: Core, parts: LoopParts) {
    this.core = core;
    const { awaited } = core.state;
    this.#awaitedNews = {
      get agentsAwaited() {
        return { agentIds: [...awaited].map((agent) => agent.id) };
      },
    };
    this.#parts = parts;
    this.#writer = new RegistryWriter(parts.store, parts.clock, parts.log);
    this.watchers = new Watchers(core.state, this.ring, parts.clock, () => this.wake());
    this.#perform(core.effects);
    this.wake();
  }

  post(input: Input): void {
    if (this.#stopped || !this.#mayAct()) return;
    this.#queue.push(input);
    if (this.#stepping) return;
    this.#stepping = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift())
        this.#perform(step(this.core, next, this.#now()));
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#stepping = false;
    }
    this.wake();
  }

  /** Posts an operator's call; the answer comes when what it changes is in the store. */
  ask(command: OperatorCommand, respond: (result: Result<Affected>) => void): void {
    const call = ++this.#callCount;
    this.#answers.set(call, respond);
    this.post({ type: "operator-call", call, command });
  }

  /** Asks for the end of a tick. */
  wake(): void {
    if (this.#tick !== undefined || this.#stopped) return;
    this.#tick = this.#parts.clock.after(0, () => {
      this.#tick = undefined;
      if (this.#stopped) return;
      try {
        this.#endTick();
      } catch (error) {
        this.#fail(error);
      }
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#tick?.();
    this.#timer?.();
    this.#figuresTimer?.();
    this.#writer.stop();
    const error = new MusterError("unavailable", "the master stops: it may have been done or not");
    for (const respond of this.#answers.values()) respond({ ok: false, error });
    this.#answers.clear();
  }

  #now(): Now {
    return { monotonicMs: this.#parts.clock.monotonicMs(), epochMs: this.#parts.clock.epochMs() };
  }

  /** Says when so much time has passed. */
  #slice(milliseconds: number): () => boolean {
    const { clock } = this.#parts;
    const beganMs = clock.monotonicMs();
    return () => clock.monotonicMs() - beganMs >= milliseconds;
  }

  /** One that was stopped for a while, or can't renew its lease, finds it out here, before its timers do. */
  #mayAct(): boolean {
    if (this.#parts.leads()) return true;
    this.#parts.failed(new MusterError("not-leader", "the right to lead has ended"));
    return false;
  }

  #endTick(): void {
    if (!this.#mayAct()) return;
    const { clock, sessions, metrics, allocationSliceMs } = this.#parts;
    const startMs = clock.monotonicMs();
    const { core } = this;
    core.begin({ monotonicMs: startMs, epochMs: clock.epochMs() });
    if (core.state.draining.size > 0) settleDrains(core);
    const more = allocate(core, () => clock.monotonicMs() - startMs >= allocationSliceMs);
    if (!more) this.#allocatingSinceMs = undefined;
    else this.#allocatingSinceMs ??= startMs;
    if (core.state.leaving.size > 0) settleInverseOffers(core);
    this.#perform(core.effects);
    const moreFigures = this.#tellFigures(startMs);
    this.#writer.flush();
    const offersWait = more && startMs - (this.#allocatingSinceMs ?? startMs) < offersWaitMsMax;
    const moreMessages = sessions.flush(offersWait, this.#slice(sendingSliceMs));
    const moreEvents = this.watchers.flush(this.#slice(feedSliceMs));
    this.#count();
    metrics.offersOutstanding(core.state.offers.size);
    metrics.tickSeconds((clock.monotonicMs() - startMs) / 1_000);
    this.#setTimer();
    if (more || moreFigures || moreMessages || moreEvents) this.wake();
  }

  /**
   * Records whose figures have changed go into the feed, each at most once in `figuresIntervalMs`. True if time ran out:
   * of tens of thousands of agents the rest is told in the next ticks.
   */
  #tellFigures(nowMs: number): boolean {
    const { state } = this.core;
    const { awaited, changedAgents, changedFrameworks } = state;
    // That nobody is awaited any more is news that others wait for; who of many is back is not.
    if (state.awaitedChanged && (awaited.size === 0 || nowMs >= this.#figuresAtMs)) {
      state.awaitedChanged = false;
      this.ring.append(this.#awaitedNews);
    }
    const isQuiet = changedAgents.size === 0 && changedFrameworks.size === 0 && state.changedRoles.size === 0;
    if (isQuiet && !state.awaitedChanged) return false;
    if (nowMs < this.#figuresAtMs) {
      this.#figuresTimer ??= this.#parts.clock.after(this.#figuresAtMs - nowMs, () => {
        this.#figuresTimer = undefined;
        this.wake();
      });
      return false;
    }
    const outOfTime = this.#slice(figuresSliceMs);
    let told = 0;
    for (const agent of changedAgents) {
      if ((++told & 63) === 0 && outOfTime()) return true;
      changedAgents.delete(agent);
      this.ring.append(agent);
    }
    this.#figuresAtMs = nowMs + this.#parts.figuresIntervalMs;
    for (const framework of changedFrameworks) this.ring.append(framework);
    for (const change of this.#roleNews.of(state, changedFrameworks)) this.ring.append(change);
    changedFrameworks.clear();
    return false;
  }

  /** A claimant that was refused reads on to the sequence number of the answer: by then the feed has told it why. */
  #answerClaim({ connection, agent, result }: Extract<Effect, { type: "claim-result" }>): void {
    if (!result.granted && agent !== undefined && this.core.state.changedAgents.delete(agent)) this.ring.append(agent);
    const bytes = 64 + (result.refusal?.message.length ?? 0);
    this.#parts.sessions.add(connection, "claimResults", { ...result, sequence: this.ring.last }, bytes);
  }

  #sendOffer(offer: Offer): void {
    const { connection } = offer.framework;
    if (connection !== 0) this.#parts.sessions.add(connection, "offers", offerMessage(offer), offerBytes(offer));
  }

  #count(): void {
    const { tallies } = this.core;
    for (const name of Object.keys(tallies) as (keyof typeof tallies)[]) {
      const tally = tallies[name];
      if (tally.size === 0) continue;
      for (const [label, amount] of tally) this.#parts.metrics.count(name, label, amount);
      tally.clear();
    }
  }

  #setTimer(): void {
    const dueMs = nextDueMs(this.core);
    if (dueMs === undefined || dueMs >= this.#timerAtMs) return;
    this.#timer?.();
    this.#timerAtMs = dueMs;
    const { clock } = this.#parts;
    this.#timer = clock.after(Math.max(0, Math.ceil(dueMs - clock.monotonicMs())), () => {
      this.#timer = undefined;
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.post({ type: "time" });
    });
  }

  #perform(effects: readonly Effect[]): void {
    const { sessions, log } = this.#parts;
    for (const effect of effects) {
      switch (effect.type) {
        case "to-framework":
        case "to-agent":
          sessions.add(effect.connection, effect.field, effect.item, effect.bytes);
          break;
        case "claim-result":
          this.#answerClaim(effect);
          break;
        case "offer":
          this.#sendOffer(effect.offer);
          this.ring.append(effect.offer);
          break;
        case "event":
          this.ring.append(effect.subject);
          break;
        case "task-event":
          this.ring.appendTask(effect.task, effect.status);
          break;
        case "end":
          sessions.end(effect.connection, effect.error);
          break;
        case "store": {
          const { written } = effect;
          this.#writer.add(effect.key, effect.value, written && ((error) => this.post(written(error))));
          break;
        }
        case "log":
          log[effect.level](effect.fields, effect.message);
          break;
        case "respond":
          effect.respond();
          break;
        case "answer":
          this.#answers.get(effect.call)?.(effect.result);
          this.#answers.delete(effect.call);
          break;
        case "deposed":
          this.#parts.failed(
            new MusterError(
              "not-leader",
              `epoch ${effect.epochSeen} has begun; this master's is ${this.core.state.epoch}`,
            ),
          );
          break;
      }
    }
  }

  /** A bug of ours: going on with such a state would be worse than to stop. */
  #fail(error: unknown): void {
    this.#parts.metrics.count("invariants", "", 1);
    this.#parts.log.error({ error }, "the master's state is not what it must be");
    this.#parts.failed(MusterError.from(error));
  }
}
