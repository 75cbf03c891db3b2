import {
  addResources,
  invalid,
  MusterError,
  type Resources,
  resources,
  sameResources,
  subtractResources,
  withoutRevocable,
} from "@muster/foundation";
import {
  type AgentUpdate,
  type ConnectRequest,
  type Registration,
  type RelayedMessage,
  StatusReason,
  TaskState,
  type TaskStatus,
} from "@muster/proto";
import { agentKey, encodeAgent } from "../registry/records.ts";
import { adoptTask } from "./adopt.ts";
import { closeAgent, endAgentSession, endTasksOf, forgetAgent, forgetIfNew, stopAwaiting } from "./agent-life.ts";
import { countTotal } from "./cluster-total.ts";
import { type Core, idsOf } from "./core.ts";
import { relayFromExecutor } from "./executors.ts";
import { forgetCompleted } from "./framework-life.ts";
import { sendKill } from "./kills.ts";
import { limits } from "./limits.ts";
import { Agent, AgentSession, type Framework, noNumbers, type Task } from "./model.ts";
import { clearFiltersOn, rescindOffer } from "./offers.ts";
import { beginDrain, forceDrain } from "./operator/drain.ts";
import { refuseGone } from "./operator/gone.ts";
import { recallWindow } from "./operator/maintenance.ts";
import { setStanding, takesTasks } from "./operator/standing.ts";
import { joinOverlays } from "./overlay/overlays.ts";
import { keepLimits } from "./quota-offers.ts";
import { takeOperationResult } from "./set-aside/operations.ts";
import { setAsideFault, takeSetAside } from "./set-aside/registration.ts";
import { takeStatus } from "./statuses.ts";
import { changeStatus, endByMaster, retire } from "./tasks.ts";
import { registrationFault, resourcesFault } from "./validate.ts";

/** How long to wait before the store is asked again. */
const storeRetryMs = 1_000;

/** An agent has opened its session. It counts as registered only when all its tasks have been told. */
export function openAgent(core: Core, connection: number, registration: Registration): void {
  const { state } = core;
  const session = new AgentSession(connection);
  state.agentSessions.set(connection, session);
  const fault = registrationFault(registration) ?? setAsideFault(registration);
  if (fault) {
    endAgentSession(core, session, fault);
    return;
  }
  if (registration.epochSeen > state.epoch) {
    core.effects.push({ type: "deposed", epochSeen: registration.epochSeen });
    endAgentSession(core, session, new MusterError("not-leader", "another master leads"));
    return;
  }
  if (state.gone.has(registration.agentId)) {
    refuseGone(core, session);
    return;
  }
  let agent = state.agents.get(registration.agentId);
  if (agent !== undefined && agent.connection !== 0) {
    if (agent.address !== registration.address || agent.name !== registration.name) {
      const message = `agent ${agent.id} is connected from ${agent.address}: two agents have one id`;
      endAgentSession(core, session, new MusterError("exists", message, { field: "registration.agent_id" }));
      return;
    }
    const old = state.agentSessions.get(agent.connection);
    closeAgent(core, agent.connection);
    if (old) endAgentSession(core, old, new MusterError("wrong-state", "the agent has connected anew"));
  }
  const known = agent !== undefined;
  const { agentId, name, address, ip } = registration;
  const moved = agent !== undefined && (agent.name !== name || agent.address !== address || agent.ip !== ip);
  agent ??= new Agent(agentId, name, address, ip, "awaited");
  const wasUnreachable = agent.state === "unreachable";
  state.agents.set(agentId, agent);
  if (!known) recallStanding(core, agent);
  session.agent = agent;
  agent.connection = connection;
  agent.lastHeardMs = core.nowMs;
  describeAgent(core, agent, registration);
  takeSetAside(core, agent, registration);
  core.after(state.settings.pingIntervalMs, { type: "session-silence", connection });
  if (known && !moved && !wasUnreachable) session.stored = true;
  else
    core.effects.push({
      type: "store",
      key: agentKey(agentId),
      value: encodeAgent(agent, 0),
      written: (error) => ({ type: "agent-stored", connection, error }),
    });
}

function describeAgent(core: Core, agent: Agent, registration: Registration): void {
  agent.name = registration.name;
  agent.address = registration.address;
  agent.ip = registration.ip;
  agent.version = registration.version;
  agent.drivers = registration.drivers;
  agent.networkModes = registration.networkModes;
  agent.unavailable = unavailableTexts(registration.unavailable);
  const { underlay } = registration;
  agent.underlay = underlay === null ? undefined : { ...underlay, backends: [...underlay.backends] };
  agent.dynamicPortFirst = registration.dynamicPortFirst;
  agent.dynamicPortLast = registration.dynamicPortLast;
  agent.foreignPorts = noNumbers;
  agent.portsTaken = undefined;
  if (setAttributes(agent, registration.attributes)) clearFiltersOn(core, agent);
  setTotal(core, agent, registration.resources);
}

function unavailableTexts(unavailable: Registration["unavailable"]): string[] {
  return unavailable.map(({ name, reason }) => `${name}: ${reason}`);
}

function setAttributes(agent: Agent, attributes: Registration["attributes"]): boolean {
  const same =
    attributes.length === agent.attributeValues.size &&
    attributes.every(({ name, value }) => agent.attributeValues.get(name) === value);
  agent.attributes = attributes.map(({ name, value }) => ({ name, value }));
  agent.attributeValues.clear();
  for (const { name, value } of attributes) agent.attributeValues.set(name, value);
  return !same;
}

/** The cluster's total counts agents that are registered: shares are parts of what can be had. */
function setTotal(core: Core, agent: Agent, total: Registration["resources"]): void {
  const { allocator } = core.state;
  const firmBefore = withoutRevocable(agent.total);
  agent.total = resources(total);
  agent.changeCount++;
  const firm = withoutRevocable(agent.total);
  // What agents lend changes all the time, and is part of nobody's share.
  if (agent.counted && !sameResources(firm, firmBefore))
    allocator.setTotal(addResources(subtractResources(allocator.total, firmBefore), firm));
}

export function agentStored(core: Core, connection: number, error: MusterError | undefined): void {
  const session = core.state.agentSessions.get(connection);
  if (session?.agent === undefined) return;
  if (error) {
    const { agent } = session;
    closeAgent(core, connection);
    forgetIfNew(core, agent);
    endAgentSession(
      core,
      session,
      new MusterError("unavailable", "the store does not answer", { retryAfterMs: storeRetryMs, cause: error }),
    );
    return;
  }
  session.stored = true;
  completeRegistration(core, session);
}

/** Everything that an agent says after its registration. */
export function takeAgentMessage(core: Core, connection: number, message: ConnectRequest): void {
  const session = core.state.agentSessions.get(connection);
  const agent = session?.agent;
  if (session === undefined || agent === undefined || agent.connection !== connection) return;
  agent.lastHeardMs = core.nowMs;
  session.pingCount = 0;
  let fault: MusterError | undefined;
  if (message.registration !== null) fault = invalid("registration", "is for the first message alone");
  for (const [index, report] of message.tasks.entries()) {
    if (fault) break;
    if (session.reported === undefined) fault = invalid("tasks", "come before tasks_complete");
    else fault = adoptTask(core, agent, session.reported, report, index);
  }
  if (message.tasksComplete && !fault) {
    session.tasksComplete = true;
    completeRegistration(core, session);
  }
  const { statuses } = message;
  for (let index = 0; index < statuses.length && !fault; index++)
    fault = takeStatus(core, agent, statuses[index] as TaskStatus, `statuses[${index}]`);
  if (message.update && !fault) fault = takeUpdate(core, agent, message.update);
  for (const result of message.operationResults) takeOperationResult(core, agent, result);
  const { executorMessages } = message;
  for (let index = 0; index < executorMessages.length && !fault; index++)
    fault = relayFromExecutor(core, agent, executorMessages[index] as RelayedMessage, `executor_messages[${index}]`);
  if (fault) {
    closeAgent(core, connection);
    endAgentSession(core, session, fault);
    return;
  }
  if (message.leaving) removeAgent(core, session, agent);
}

/** Both its tasks are known and it is in the store: from now on its resources are offered. */
function completeRegistration(core: Core, session: AgentSession): void {
  const { state } = core;
  const { agent, reported } = session;
  if (agent === undefined || reported === undefined || !session.stored || !session.tasksComplete) return;
  session.reported = undefined;
  agent.adopting = undefined;
  for (const task of [...agent.tasks]) if (!reported.has(task)) missTask(core, task);
  for (const task of [...agent.ended]) if (!reported.has(task)) tellForgottenEnd(core, task);
  agent.state = "registered";
  agent.registeredAt = core.epochMs;
  countTotal(state, agent, takesTasks(agent));
  state.dirty.add(agent);
  keepLimits(core, agent);
  stopAwaiting(core, agent);
  core.toAgent(
    session.connection,
    "registered",
    { clusterId: state.clusterId, pingIntervalMs: state.settings.pingIntervalMs },
    64,
  );
  joinOverlays(core, agent, session);
  for (const task of agent.tasks) if (task.kill) sendKill(core, task);
  forceDrain(core, agent);
  for (const framework of [...state.frameworks.values()])
    if (framework.state === "completed") removeOn(core, framework, agent);
  state.changedAgents.add(agent);
  core.log("info", { agentId: agent.id, address: agent.address, tasks: agent.tasks.size }, "agent registered");
}

/** A framework that ended while the agent was away: its tasks there are to end too. */
function removeOn(core: Core, framework: Framework, agent: Agent): void {
  for (const task of agent.tasks)
    if (task.group.framework === framework) {
      core.toAgent(agent.connection, "frameworksRemoved", framework.id, 64);
      return;
    }
  forgetCompleted(core, framework);
}

/** The agent is back and does not have it. */
function missTask(core: Core, task: Task): void {
  const { REASON_AGENT_DISCONNECTED, REASON_AGENT_RETURNED } = StatusReason;
  const status = task.heard
    ? core.status(idsOf(task), TaskState.TASK_GONE, REASON_AGENT_RETURNED, "the agent is back without it")
    : core.status(
        idsOf(task),
        TaskState.TASK_DROPPED,
        REASON_AGENT_DISCONNECTED,
        "the connection to the agent broke before the task started",
      );
  endByMaster(core, task, status);
}

/**
 * The agent has told the end and does not know of it any more, as after a death while its disk was full; nobody has
 * acknowledged it here. It won't be told by the agent again, so the framework hears of it from here.
 */
function tellForgottenEnd(core: Core, task: Task): void {
  if (task.told !== undefined) {
    const status = { ...task.told, updateId: "" };
    core.toFramework(task.group.framework, "updates", status, 160 + status.message.length);
    core.count("statuses", "master");
  }
  retire(core, task);
}

function takeUpdate(core: Core, agent: Agent, update: AgentUpdate): MusterError | undefined {
  if (update.foreignPorts.length > limits.foreignPortsPerAgent)
    return invalid("update.foreign_ports", `must be at most ${limits.foreignPortsPerAgent}`);
  const amounts = resourcesFault("update.resources", update.resources);
  if (amounts) return amounts;
  const { networks } = update;
  if (networks !== null) {
    const { modes, unavailable } = networks;
    if (modes.length > limits.abilitiesPerAgent || unavailable.length > limits.abilitiesPerAgent)
      return invalid("update.networks", `must be at most ${limits.abilitiesPerAgent} of each`);
    agent.networkModes = [...modes];
    agent.unavailable = unavailableTexts(unavailable);
  }
  const totalBefore = agent.total;
  setTotal(core, agent, update.resources ?? agent.total);
  if (setAttributes(agent, update.attributes)) clearFiltersOn(core, agent);
  agent.foreignPorts = update.foreignPorts.length === 0 ? noNumbers : new Set(update.foreignPorts);
  agent.portsTaken = undefined;
  const change = subtractResources(agent.total, totalBefore);
  for (const offer of [...agent.offers])
    if (hasShrunk(change, offer.resources)) rescindOffer(core, offer, "the agent has less than before");
  core.state.dirty.add(agent);
  core.state.changedAgents.add(agent);
  return undefined;
}

/** Whether there is less of something that an offer has, or of what every task needs. */
function hasShrunk(change: Resources, offered: Resources): boolean {
  if (change.cpuMillis < 0 || change.memoryMiB < 0 || change.diskMiB < 0 || change.portCount < 0) return true;
  for (const name in change.custom)
    if ((change.custom[name] ?? 0) < 0 && Object.hasOwn(offered.custom, name)) return true;
  return false;
}

export function agentSessionClosed(core: Core, connection: number): void {
  closeAgent(core, connection);
  core.state.agentSessions.delete(connection);
}

/** Pings a stream that is silent; after enough of them the agent is given up. */
export function checkSilence(core: Core, connection: number): void {
  const { state } = core;
  const session = state.agentSessions.get(connection);
  const agent = session?.agent;
  if (session === undefined || agent === undefined || agent.connection !== connection) return;
  const { pingIntervalMs, pingsMissedMax } = state.settings;
  const silentMs = core.nowMs - agent.lastHeardMs;
  const missed = Math.floor(silentMs / pingIntervalMs);
  const turnMs = missed >= pingsMissedMax ? unreachableTurnMs(core) : 0;
  if (turnMs > 0) {
    // It is not its turn: pings go on, and a pong that comes meanwhile makes that it never is.
    core.toAgent(connection, "ping", { pingNumber: missed }, 16);
    core.after(Math.min(turnMs, pingIntervalMs), { type: "session-silence", connection });
    return;
  }
  if (missed >= pingsMissedMax) {
    const wasRegistered = agent.state === "registered";
    closeAgent(core, connection);
    endAgentSession(core, session, new MusterError("too-late", "the agent did not answer pings"));
    if (wasRegistered) giveUp(core, agent, connection);
    return;
  }
  if (missed > 0 && missed > session.pingCount) {
    session.pingCount = missed;
    core.toAgent(connection, "ping", { pingNumber: missed }, 16);
  }
  const nextMs = agent.lastHeardMs + (missed + 1) * pingIntervalMs - core.nowMs;
  core.after(nextMs, { type: "session-silence", connection });
}

/** The agent has been away for too long. The registry learns it first, so that the next master knows it too. */
export function giveUp(core: Core, agent: Agent, connection: number): void {
  if (agent.state !== "disconnected" || agent.connection !== 0 || agent.lostConnection !== connection) return;
  // One that has left, or is gone, must not get into the registry again.
  if (core.state.agents.get(agent.id) !== agent) return;
  const turnMs = unreachableTurnMs(core);
  if (turnMs > 0) {
    core.after(turnMs, { type: "agent-away", agent, connection });
    return;
  }
  takeTurn(core);
  core.effects.push({
    type: "store",
    key: agentKey(agent.id),
    value: encodeAgent(agent, core.epochMs),
    written: (error) => ({ type: "unreachable-stored", agent, connection, error }),
  });
}

export function unreachableStored(core: Core, agent: Agent, connection: number, error: MusterError | undefined): void {
  if (agent.lostConnection !== connection || core.state.agents.get(agent.id) !== agent) return;
  if (error) core.after(storeRetryMs, { type: "agent-away", agent, connection });
  else makeUnreachable(core, agent);
}

/** Its tasks may still run: their frameworks decide. */
export function makeUnreachable(core: Core, agent: Agent): void {
  // It may have come back while the registry was being written.
  if ((agent.state !== "disconnected" && agent.state !== "awaited") || agent.connection !== 0) return;
  agent.state = "unreachable";
  stopAwaiting(core, agent);
  core.state.changedAgents.add(agent);
  for (const task of [...agent.tasks]) {
    const message = "the agent does not answer";
    const { REASON_AGENT_UNREACHABLE } = StatusReason;
    const status = core.status(idsOf(task), TaskState.TASK_UNREACHABLE, REASON_AGENT_UNREACHABLE, message);
    changeStatus(core, task, status);
    core.toFramework(task.group.framework, "updates", status, 200);
  }
  for (const framework of core.state.frameworks.values())
    core.toFramework(framework, "agentsLost", { agentId: agent.id, gone: false }, 32);
  core.log("warn", { agentId: agent.id, tasks: agent.tasks.size }, "agent unreachable");
}

/** The bound for agents of the store has passed: those that are still awaited are unreachable. */
export function stopWaiting(core: Core): void {
  for (const agent of [...core.state.awaited]) {
    const turnMs = agent.connection === 0 ? unreachableTurnMs(core) : 0;
    if (turnMs > 0) {
      core.after(turnMs, { type: "awaited" });
      return;
    }
    if (agent.connection === 0) {
      takeTurn(core);
      makeUnreachable(core, agent);
    } else stopAwaiting(core, agent);
  }
}

/** In how many milliseconds the next agent may become unreachable: what looks like many losses is mostly one of a switch. */
function unreachableTurnMs(core: Core): number {
  return core.state.settings.unreachableIntervalMs === 0 ? 0 : core.state.unreachableNextMs - core.nowMs;
}

function takeTurn(core: Core): void {
  core.state.unreachableNextMs = core.nowMs + core.state.settings.unreachableIntervalMs;
}

/** The agent leaves in good order: it is forgotten, and its tasks are gone. */
function removeAgent(core: Core, session: AgentSession, agent: Agent): void {
  closeAgent(core, session.connection);
  endTasksOf(core, agent, StatusReason.REASON_AGENT_SHUTDOWN, "its agent has left the cluster");
  forgetAgent(core, agent);
  core.log("info", { agentId: agent.id }, "agent left");
  endAgentSession(core, session, undefined);
}

/** An agent that is new to this master, though an operator may have decided about it. */
function recallStanding(core: Core, agent: Agent): void {
  const { standings } = core.state;
  setStanding(core.state, agent.id, standings.get(agent.id));
  beginDrain(core, agent);
  recallWindow(core, agent);
}
