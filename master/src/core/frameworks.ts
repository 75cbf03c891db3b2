import { invalid, MusterError, randomText, resources, revocableCapability } from "@muster/foundation";
import type { FrameworkInfo, Subscription } from "@muster/proto";
import { encodeFramework, frameworkKey } from "../registry/records.ts";
import { markAllDirty } from "./allocate.ts";
import type { Core } from "./core.ts";
import { awaitFramework, endFrameworkSession, forgetCompleted, settleEagerness } from "./framework-life.ts";
import { failoverTimeoutMsDefault, failoverTimeoutMsMax, limits } from "./limits.ts";
import { Framework, FrameworkSession, noConstraints } from "./model.ts";
import { clearFilters, endOffer, rescindOffer } from "./offers.ts";
import { forgetInverseOffers } from "./operator/inverse-offers.ts";
import { dropHold, dropHolds } from "./preemption/holds.ts";
import { frameworkFault, idFault, readConstraints } from "./validate.ts";

/** A framework has opened its session. It is subscribed as soon as the store knows it. */
export function openFramework(core: Core, connection: number, principal: string, subscription: Subscription): void {
  const { state } = core;
  const session = new FrameworkSession(connection, principal);
  state.frameworkSessions.set(connection, session);
  const fault = subscriptionFault(core, subscription);
  if (fault) {
    endFrameworkSession(core, session, fault);
    return;
  }
  if (subscription.epochSeen > state.epoch) {
    core.effects.push({ type: "deposed", epochSeen: subscription.epochSeen });
    endFrameworkSession(core, session, new MusterError("not-leader", "another master leads"));
    return;
  }
  const info = subscription.framework as FrameworkInfo;
  const id = subscription.frameworkId || `framework-${state.epoch.toString(36)}-${randomText(state.random, 12)}`;
  let framework = state.frameworks.get(id);
  const made = framework === undefined;
  if (framework === undefined) {
    framework = new Framework(id, info.name, info.failoverTimeoutMs ?? failoverTimeoutMsDefault);
    framework.principal = info.principal;
    framework.disconnectedAt = core.epochMs;
    state.frameworks.set(id, framework);
  }
  session.framework = framework;
  session.subscription = { id, info, suppressed: subscription.suppressedRoles };
  const before = { ...describe(framework) };
  const stored = new Framework(id, info.name, failoverTimeout(info));
  stored.roles = info.roles;
  stored.jobTypes = info.jobTypes;
  stored.version = info.version;
  stored.principal = info.principal;
  if (!made && framework.state === "connected" && JSON.stringify(before) === JSON.stringify(describe(stored))) {
    admitFramework(core, connection, undefined);
    return;
  }
  core.effects.push({
    type: "store",
    key: frameworkKey(id),
    value: encodeFramework(stored, 0),
    written: (error) => ({ type: "framework-stored", connection, error }),
  });
}

function describe(framework: Framework): object {
  const { name, roles, jobTypes, version, principal, failoverTimeoutMs } = framework;
  return { name, roles, jobTypes, version, principal, failoverTimeoutMs };
}

function failoverTimeout(info: FrameworkInfo): number {
  return Math.min(info.failoverTimeoutMs ?? failoverTimeoutMsDefault, failoverTimeoutMsMax);
}

function subscriptionFault(core: Core, subscription: Subscription): MusterError | undefined {
  const { framework: info, frameworkId: id, suppressedRoles } = subscription;
  if (info === null) return invalid("subscription.framework", "must be given");
  const fault = frameworkFault("subscription.framework", info);
  if (fault) return fault;
  const constraints = readConstraints("subscription.framework.offer_constraints", info.offerConstraints);
  if (constraints instanceof MusterError) return constraints;
  for (const [index, role] of suppressedRoles.entries())
    if (!info.roles.includes(role))
      return invalid(`subscription.suppressed_roles[${index}]`, `"${role}" is none of the framework's roles`);
  if (id === "") return undefined;
  const bad = idFault("subscription.framework_id", id);
  if (bad) return bad;
  const known = core.state.frameworks.get(id);
  if (core.state.completed.has(id) || known?.state === "completed")
    return new MusterError("wrong-state", `framework ${id} is over: subscribe without an id to begin anew`, {
      field: "subscription.framework_id",
    });
  if (known !== undefined && known.principal !== "" && known.principal !== info.principal)
    return new MusterError("forbidden", `framework ${id} belongs to another principal`, {
      field: "subscription.framework.principal",
    });
  return undefined;
}

/** The store knows it (or does not answer): the session begins, and an older one of the same id ends. */
export function admitFramework(core: Core, connection: number, error: MusterError | undefined): void {
  const { state } = core;
  const session = state.frameworkSessions.get(connection);
  const { framework, subscription } = session ?? {};
  if (session === undefined || framework === undefined || subscription === undefined) return;
  if (error) {
    if (
      framework.state === "disconnected" &&
      framework.subscribedAt === 0 &&
      framework.tasks.size === 0 &&
      framework.deadline === undefined
    )
      state.frameworks.delete(framework.id);
    const details = { retryAfterMs: 1_000, cause: error };
    endFrameworkSession(core, session, new MusterError("unavailable", "the store does not answer", details));
    return;
  }
  if (framework.state === "completed" || state.frameworks.get(framework.id) !== framework) {
    endFrameworkSession(core, session, new MusterError("wrong-state", `framework ${framework.id} is over`));
    return;
  }
  if (framework.state === "connected") failOver(core, framework);
  framework.state = "connected";
  framework.connection = connection;
  framework.subscribedAt = core.epochMs;
  framework.disconnectedAt = 0;
  if (framework.deadline) state.timers.remove(framework.deadline);
  framework.deadline = undefined;
  describeFramework(core, framework, subscription.info);
  framework.demands = undefined;
  framework.suppressed.clear();
  for (const role of subscription.suppressed) framework.suppressed.add(role);
  settleEagerness(core, framework);
  core.toFramework(
    framework,
    "subscribed",
    {
      frameworkId: framework.id,
      heartbeatIntervalMs: state.settings.heartbeatIntervalMs,
      clusterId: state.clusterId,
      limits: { ...limits, offerTimeoutMs: state.settings.offerTimeoutMs },
      agentsAwaited: [...state.awaited].map((agent) => agent.id),
    },
    1_024 + state.awaited.size * 24,
  );
  // What it has not acknowledged is told at once; its agents would tell it again only after a while.
  for (const task of framework.tasks.values())
    if (task.pending) core.toFramework(framework, "updates", task.pending, 200);
  for (const result of framework.operationEnds.values()) core.toFramework(framework, "operationResults", result, 256);
  forgetInverseOffers(core, framework);
  core.after(state.settings.heartbeatIntervalMs, { type: "heartbeat", connection });
  markAllDirty(core);
  state.changedFrameworks.add(framework);
  core.log("info", { frameworkId: framework.id, name: framework.name }, "framework subscribed");
}

function failOver(core: Core, framework: Framework): void {
  const old = core.state.frameworkSessions.get(framework.connection);
  for (const offer of [...framework.offers]) endOffer(core, offer, "rescinded: framework failed over");
  dropHolds(core, framework);
  if (old === undefined) return;
  endFrameworkSession(
    core,
    old,
    new MusterError("wrong-state", "framework failed over: a newer session took its place"),
  );
}

function describeFramework(core: Core, framework: Framework, info: FrameworkInfo): void {
  const { allocator } = core.state;
  framework.name = info.name;
  framework.roles = info.roles;
  framework.jobTypes = info.jobTypes;
  framework.version = info.version;
  framework.principal = info.principal;
  framework.failoverTimeoutMs = failoverTimeout(info);
  framework.takesRevocable = info.capabilities.includes(revocableCapability);
  framework.minimumOffer = info.minimumOffer === null ? undefined : resources(info.minimumOffer);
  const constraints = readConstraints("framework.offer_constraints", info.offerConstraints);
  framework.constraints = constraints instanceof MusterError ? noConstraints : constraints;
  for (const role of info.roles)
    if (!framework.members.has(role)) framework.members.set(role, allocator.member(framework, role));
}

/** New roles, constraints and so on without a new session. Roles that are dropped lose their offers. */
export function updateFramework(core: Core, framework: Framework, info: FrameworkInfo): void {
  const field = "framework_update";
  const fault = frameworkFault(field, info) ?? readConstraints(`${field}.offer_constraints`, info.offerConstraints);
  const error = fault instanceof MusterError ? fault : undefined;
  if (error) {
    core.refuse(framework, field, framework.id, error.kind, error.message, error.field);
    return;
  }
  if (info.name !== framework.name || info.principal !== framework.principal) {
    core.refuse(framework, field, framework.id, "invalid", "name and principal can't change", `${field}.name`);
    return;
  }
  describeFramework(core, framework, info);
  for (const role of [...framework.suppressed]) if (!info.roles.includes(role)) framework.suppressed.delete(role);
  for (const role of framework.demands?.keys() ?? []) if (!info.roles.includes(role)) framework.demands?.delete(role);
  for (const offer of [...framework.offers])
    if (!info.roles.includes(offer.role)) rescindOffer(core, offer, "the framework has left the role");
  for (const hold of [...framework.holds]) if (!info.roles.includes(hold.demand.role)) dropHold(core, hold);
  for (const [role, member] of [...framework.members])
    if (!info.roles.includes(role)) {
      clearFilters(core, framework, role);
      core.state.allocator.setEager(member, false);
    }
  settleEagerness(core, framework);
  markAllDirty(core);
  store(core, framework, 0);
  core.state.changedFrameworks.add(framework);
}

function store(core: Core, framework: Framework, completedAt: number): void {
  const value = encodeFramework(framework, completedAt);
  core.effects.push({ type: "store", key: frameworkKey(framework.id), value, written: undefined });
}

export function frameworkSessionClosed(core: Core, connection: number): void {
  const session = core.state.frameworkSessions.get(connection);
  core.state.frameworkSessions.delete(connection);
  const framework = session?.framework;
  if (framework === undefined || framework.connection !== connection || framework.state !== "connected") return;
  disconnect(core, framework);
}

/** Its tasks run on; its offers end; it has its fail-over timeout to come back. */
function disconnect(core: Core, framework: Framework): void {
  framework.state = "disconnected";
  framework.connection = 0;
  framework.disconnectedAt = core.epochMs;
  for (const offer of [...framework.offers]) endOffer(core, offer, "rescinded: framework disconnected");
  dropHolds(core, framework);
  clearFilters(core, framework);
  forgetInverseOffers(core, framework);
  settleEagerness(core, framework);
  awaitFramework(core, framework, framework.failoverTimeoutMs);
  store(core, framework, 0);
  core.state.changedFrameworks.add(framework);
  core.log("info", { frameworkId: framework.id, name: framework.name }, "framework disconnected");
}

/** It did not come back in time. */
export function completeFramework(core: Core, framework: Framework): void {
  if (framework.state !== "disconnected") return;
  store(core, framework, core.epochMs);
  finishFramework(core, framework, "framework over: it did not come back in time");
}

/** It is over: its tasks are killed, and its id is refused from now on. The registry has it, or will. */
export function finishFramework(core: Core, framework: Framework, message: string): void {
  const { state } = core;
  framework.state = "completed";
  framework.deadline = undefined;
  state.completed.set(framework.id, framework.name);
  if (state.completed.size > limits.completedFrameworks) {
    const oldest = state.completed.keys().next().value as string;
    state.completed.delete(oldest);
    core.effects.push({ type: "store", key: frameworkKey(oldest), value: undefined, written: undefined });
  }
  core.log("info", { frameworkId: framework.id, name: framework.name }, message);
  const agents = new Set([...framework.tasks.values()].map((task) => task.group.agent));
  for (const agent of agents) core.toAgent(agent.connection, "frameworksRemoved", framework.id, 64);
  for (const task of framework.tasks.values()) {
    if (task.pending === undefined) continue;
    const { pending } = task;
    const ids = { frameworkId: framework.id, taskId: task.id, updateId: pending.updateId };
    core.toAgent(task.group.agent.connection, "acknowledgements", ids, 100);
    task.pending = undefined;
  }
  forgetCompleted(core, framework);
}

/** A stream that had nothing to say says that it is alive. */
export function heartbeat(core: Core, connection: number): void {
  const framework = core.state.frameworkSessions.get(connection)?.framework;
  if (framework === undefined || framework.connection !== connection) return;
  const { heartbeatIntervalMs } = core.state.settings;
  if (core.nowMs - framework.lastSentMs >= heartbeatIntervalMs) core.toFramework(framework, "heartbeat", {}, 8);
  core.after(heartbeatIntervalMs - (core.nowMs - framework.lastSentMs), { type: "heartbeat", connection });
}
