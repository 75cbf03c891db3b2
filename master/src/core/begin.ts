import { isEmptyResources, type Random } from "@muster/foundation";
import { Allocator } from "../allocator/allocator.ts";
import { noBound } from "../allocator/bound.ts";
import type { Registry } from "../registry/load.ts";
import { agentKey } from "../registry/records.ts";
import { Core, type Now, timerBefore } from "./core.ts";
import { awaitFramework } from "./framework-life.ts";
import { IndexedHeap } from "./heap.ts";
import { Agent, type CoreSettings, Framework, type MasterState } from "./model.ts";
import { beginDrain } from "./operator/drain.ts";
import { applyPlan } from "./operator/maintenance.ts";
import { setStanding } from "./operator/standing.ts";
import { OutstandingOffers } from "./outstanding.ts";
import { createOverlays, releaseForgotten } from "./overlay/overlays.ts";
import { recallBudgets } from "./preemption/budgets.ts";
import { noPreemption } from "./preemption/model.ts";
import { Roster } from "./roster.ts";

/** The beginning of a reign: what the registry holds is known, everything else is told by agents and frameworks. */
export function beginReign(epoch: number, registry: Registry, settings: CoreSettings, random: Random, now: Now): Core {
  const state: MasterState = {
    epoch,
    clusterId: registry.clusterId,
    settings,
    random,
    allocator: new Allocator(),
    agents: new Map(),
    frameworks: new Map(),
    completed: new Map(),
    offers: new OutstandingOffers(`offer-${epoch.toString(36)}-`),
    agentSessions: new Map(),
    frameworkSessions: new Map(),
    awaited: new Set(),
    standings: new Map(),
    gone: new Map(),
    deciding: new Set(),
    draining: new Set(),
    leaving: new Set(),
    inverseOffers: new Map(),
    unreachableNextMs: 0,
    maintenance: [],
    maintenanceVersion: 0,
    maintenanceTimer: undefined,
    dirty: new Roster("left"),
    isAllDirty: false,
    withheld: new Set(),
    roleCalls: [],
    overlays: createOverlays(settings.overlays, registry.leases),
    overlaysDigest: undefined,
    preemption: noPreemption(),
    timers: new IndexedHeap(timerBefore),
    changedAgents: new Roster("right"),
    changedFrameworks: new Roster("right"),
    changedRoles: new Set(),
    awaitedChanged: false,
    operations: new Map(),
    offerCount: 0,
    timerCount: 0,
    operationCount: 0,
  };
  const core = new Core(state);
  core.begin(now);
  const gone = new Set(
    registry.standings.filter(({ decision }) => decision.name === "gone").map(({ agentId }) => agentId),
  );
  for (const { agentId, name, address, ip } of registry.agents) {
    // The last leader ended between that decision and what follows from it: nobody is to wait for the agent.
    if (gone.has(agentId)) {
      core.effects.push({ type: "store", key: agentKey(agentId), value: undefined, written: undefined });
      continue;
    }
    const agent = new Agent(agentId, name, address, ip, "awaited");
    state.agents.set(agentId, agent);
    state.awaited.add(agent);
  }
  for (const { role, weightMillis, guarantee, limit } of registry.roles) {
    state.allocator.setWeight(role, weightMillis);
    if (limit !== noBound || !isEmptyResources(guarantee)) state.allocator.setQuota(role, { guarantee, limit });
  }
  recallDecisions(core, registry);
  releaseForgotten(core);
  recallBudgets(core, registry.budgets);
  if (state.awaited.size > 0) core.after(settings.awaitedTimeoutMs, { type: "awaited" });
  const completed = registry.frameworks.filter((stored) => stored.completedAt > 0);
  for (const stored of completed.sort((a, b) => a.completedAt - b.completedAt))
    state.completed.set(stored.frameworkId, stored.name);
  for (const stored of registry.frameworks) {
    if (stored.completedAt > 0) continue;
    const framework = new Framework(stored.frameworkId, stored.name, stored.failoverTimeoutMs);
    framework.roles = stored.roles;
    framework.jobTypes = stored.jobTypes;
    framework.principal = stored.principal;
    framework.version = stored.version;
    framework.disconnectedAt = stored.disconnectedAt > 0 ? stored.disconnectedAt : now.epochMs;
    for (const role of stored.roles) framework.members.set(role, state.allocator.member(framework, role));
    state.frameworks.set(framework.id, framework);
    awaitFramework(core, framework, remainingMs(stored.failoverTimeoutMs, framework.disconnectedAt, settings, now));
  }
  return core;
}

/** What operators had decided holds in every reign. */
function recallDecisions(core: Core, { standings, maintenance }: Registry): void {
  const { state } = core;
  for (const { agentId, agentName, decision } of [...standings].sort((a, b) => a.decision.since - b.decision.since))
    if (decision.name === "gone") state.gone.set(agentId, { name: agentName, since: decision.since });
    else setStanding(state, agentId, decision);
  for (const agent of state.draining) beginDrain(core, agent);
  applyPlan(core, maintenance);
}

/**
 * What is left of a framework's time, but not so little that it could not come back to a master that has just begun:
 * within the bound for agents, or its own timeout if that is less.
 */
function remainingMs(timeoutMs: number, disconnectedAt: number, settings: CoreSettings, now: Now): number {
  const least = Math.min(settings.awaitedTimeoutMs, timeoutMs);
  return Math.min(Math.max(timeoutMs - (now.epochMs - disconnectedAt), least), timeoutMs);
}
