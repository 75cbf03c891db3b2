import {
  type Cancel,
  type Clock,
  type Handlers,
  type Log,
  type Metrics,
  MusterError,
  type Random,
  type Store,
  type Transport,
} from "@muster/foundation";
import { Catalog } from "./catalog/catalog.ts";
import type { MasterConfig } from "./config.ts";
import { beginReign } from "./core/begin.ts";
import { serveAgents } from "./gateway/agents.ts";
import { guardHandlers, type MasterHandlers } from "./gateway/guard.ts";
import { serveJobs } from "./gateway/jobs.ts";
import { serveOperator } from "./gateway/operator.ts";
import { Owners } from "./gateway/owners.ts";
import { serveScheduling } from "./gateway/scheduling.ts";
import { serveState } from "./gateway/state.ts";
import { serveTasks } from "./gateway/tasks.ts";
import { Loop } from "./loop.ts";
import { masterMetrics } from "./metrics.ts";
import { loadRegistry } from "./registry/load.ts";
import { Sessions } from "./sessions.ts";

export interface MasterDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  /** To agents, for logs and exec. */
  readonly transport: Transport;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Leads from now on. */
  readonly elected?: (epoch: number) => void;
  /** Another leads, and this one will when its turn comes. Called at each change. */
  readonly standingBy?: (leader: string) => void;
  /** The reign is over: the process is to end, and begin anew if it wants to lead again. Called at most once. */
  readonly failed?: (error: MusterError) => void;
}

export interface Master {
  readonly handlers: Handlers;
  /** Stands for election; serves as soon as it leads and has read the registry. */
  start(): void;
  /** Ends every session with `unavailable`, lets go of the lead, then calls back. The store stays open. */
  stop(done: () => void): void;
  /** The state as it is, for checkers; undefined before the reign. Not to be changed. */
  readonly state: Loop["core"]["state"] | undefined;
}

/** How long to wait before the registry is read again. */
const loadRetryMs = 1_000;

// Thousands come at once when a leader has died: what they are refused with is made once.
const leadsNotYet = new MusterError("unavailable", "the master does not lead yet", { retryAfterMs: 200 });
const nobodyLeads = new MusterError("not-leader", "this master stands by; nobody leads yet", { retryAfterMs: 500 });
const leads = (leader: string): MusterError =>
  new MusterError("not-leader", `this master stands by; ${leader} leads`, { leader, retryAfterMs: 500 });

export function createMaster(deps: MasterDeps, config: MasterConfig): Master {
  const { clock, random, store, transport, log } = deps;
  const sessions = new Sessions();
  const metrics = masterMetrics(deps.metrics);
  let loop: Loop | undefined;
  let catalog: Catalog | undefined;
  let resign: Cancel = () => {};
  let over: MusterError | undefined;
  let leadingSince = 0;
  let standingBy: MusterError | undefined;
  /** One of several: its callers have others to turn to. */
  let { hasOthers } = config;
  let unfollow: Cancel = () => {};
  const serving = (): Loop => {
    if (loop === undefined) throw new MusterError("unavailable", "the master does not lead yet");
    return loop;
  };
  const catalogOf = ({ core, watchers }: Loop): Catalog =>
    new Catalog({ state: core.state, watchers, store, clock, log });
  const owners = new Owners(() => serving().core.state, clock);
  const refusal = (): MusterError | undefined => {
    if (over) return over;
    if (loop) {
      if (store.leads()) return undefined;
      fail(new MusterError("not-leader", "this master does not lead any more"));
      return over;
    }
    return standingBy ?? (hasOthers ? nobodyLeads : leadsNotYet);
  };
  const end = (error: MusterError, isDeposed: boolean): void => {
    over = error;
    unfollow();
    catalog?.end(error);
    loop?.watchers.end(error);
    loop?.stop();
    // What waits to be sent was decided by a leader: who is none any more must not say it.
    if (isDeposed) sessions.dropAll(error);
    else sessions.endAll(error);
    if (loop) owners.endAll(error);
  };
  const fail = (error: MusterError): void => {
    if (over) return;
    log.error({ error, reason: error.message }, "the master stops");
    const told = error.kind === "not-leader" ? "this master does not lead any more" : "the master stops";
    end(new MusterError("unavailable", told, { retryAfterMs: 500 }), error.kind === "not-leader");
    resign();
    deps.failed?.(error);
  };
  const handlers: MasterHandlers = {
    "Scheduling.Subscribe": serveScheduling(serving, sessions, clock),
    "Agents.Connect": serveAgents(serving, sessions),
    ...serveJobs(owners, config.relayTimeoutMs),
    ...serveTasks(serving, transport, config.relayTimeoutMs),
    ...serveState(store),
    ...serveOperator(serving, config, clock, () => leadingSince),
    "Catalog.Follow": (outlet) => {
      catalog ??= catalogOf(serving());
      return catalog.open(outlet);
    },
    "Watch.Events": (request, outlet) => serving().watchers.open(request, outlet),
  };
  const reign = (epoch: number): void => {
    if (over) return;
    loadRegistry(store, random, (registry) => {
      if (over) return;
      if (!registry.ok) {
        if (registry.error.kind === "internal") return fail(registry.error);
        log.warn({ error: registry.error }, "the registry can't be read yet");
        clock.after(loadRetryMs, () => reign(epoch));
        return;
      }
      leadingSince = clock.epochMs();
      const now = { monotonicMs: clock.monotonicMs(), epochMs: leadingSince };
      const core = beginReign(epoch, registry.value, config, random.stream("ids"), now);
      loop = new Loop(core, {
        clock,
        store,
        log,
        metrics,
        sessions,
        allocationSliceMs: config.allocationSliceMs,
        figuresIntervalMs: config.figuresIntervalMs,
        leads: () => store.leads(),
        failed: fail,
      });
      const { clusterId, awaited, frameworks } = core.state;
      log.info({ epoch, clusterId, agentsAwaited: awaited.size, frameworks: frameworks.size }, "leading");
      deps.elected?.(epoch);
    });
  };
  return {
    handlers: guardHandlers(handlers, refusal),
    start: () => {
      unfollow = store.leader((candidate) => {
        standingBy = candidate === undefined || candidate === config.candidate ? undefined : leads(candidate);
        if (loop || candidate === undefined || candidate === config.candidate) return;
        hasOthers = true;
        log.info({ leader: candidate }, "standing by");
        deps.standingBy?.(candidate);
      });
      resign = store.campaign(config.candidate, reign, fail);
    },
    stop: (done) => {
      if (!over) end(new MusterError("unavailable", "the master stops", { retryAfterMs: 500 }), false);
      resign();
      clock.after(0, done);
    },
    get state() {
      return loop?.core.state;
    },
  };
}
