import type { MusterError } from "@muster/foundation";
import { type StatusReason, TaskState } from "@muster/proto";
import { agentKey } from "../registry/records.ts";
import { countTotal } from "./cluster-total.ts";
import { type Core, idsOf } from "./core.ts";
import { forgetCompleted } from "./framework-life.ts";
import type { Agent, AgentSession, Framework } from "./model.ts";
import { clearFiltersOn, rescindOffer } from "./offers.ts";
import { endDrain } from "./operator/drain.ts";
import { forgetInverseOffersOn } from "./operator/inverse-offers.ts";
import { awayFromOverlays, leaveOverlays } from "./overlay/overlays.ts";
import { dropHolds } from "./preemption/holds.ts";
import { removeReservation } from "./set-aside/books.ts";
import { answerOperators, finish, takeOperationsOf } from "./set-aside/operations.ts";
import { endByMaster } from "./tasks.ts";

/** The connection is over. What the agent runs goes on; nothing of it is offered. */
export function closeAgent(core: Core, connection: number): void {
  const session = core.state.agentSessions.get(connection);
  const agent = session?.agent;
  if (agent === undefined || agent.connection !== connection) return;
  agent.connection = 0;
  const registered = agent.state === "registered";
  if (registered) agent.state = "disconnected";
  for (const offer of [...agent.offers]) rescindOffer(core, offer, "agent disconnected");
  dropHolds(core, agent);
  countTotal(core.state, agent, false);
  core.state.dirty.delete(agent);
  awayFromOverlays(core, agent);
  if (core.state.operations.size > 0) answerOperators(core, agent);
  if (!registered) {
    forgetIfNew(core, agent);
    return;
  }
  core.state.changedAgents.add(agent);
  agent.lostConnection = connection;
  const { pingIntervalMs, pingsMissedMax } = core.state.settings;
  core.after(pingIntervalMs * pingsMissedMax, { type: "agent-away", agent, connection });
  core.log("info", { agentId: agent.id }, "agent disconnected");
}

/** An agent that the store does not know and that never got as far as to be registered leaves no trace. */
export function forgetIfNew(core: Core, agent: Agent): void {
  if (agent.state !== "awaited" || core.state.awaited.has(agent) || agent.tasks.size > 0) return;
  forgetSetAside(core, agent);
  core.state.agents.delete(agent.id);
  core.effects.push({ type: "store", key: agentKey(agent.id), value: undefined, written: undefined });
}

export function endAgentSession(core: Core, session: AgentSession, error: MusterError | undefined): void {
  core.state.agentSessions.delete(session.connection);
  core.effects.push({ type: "end", connection: session.connection, error });
}

/** It is not waited for any more. */
export function stopAwaiting(core: Core, agent: Agent): void {
  if (!core.state.awaited.delete(agent)) return;
  core.state.awaitedChanged = true;
  // Roles with a limit were kept waiting until what they use is known.
  if (core.state.awaited.size === 0) core.state.allocator.isLoosened = true;
}

/** Ends what ran on an agent that will not tell of it any more. O(its tasks). */
export function endTasksOf(core: Core, agent: Agent, reason: StatusReason, message: string): void {
  const frameworks = new Set<Framework>();
  for (const task of [...agent.tasks]) {
    frameworks.add(task.group.framework);
    endByMaster(core, task, core.status(idsOf(task), TaskState.TASK_GONE, reason, message));
  }
  for (const framework of frameworks) forgetCompleted(core, framework);
}

/** What was set aside on an agent that is not known any more: it tells it again if it ever comes back. */
function forgetSetAside(core: Core, agent: Agent): void {
  for (const operation of takeOperationsOf(core, agent)) finish(core, operation, agentIsNoMore);
  for (const reservation of [...(agent.setAside?.reservations.values() ?? [])]) removeReservation(core, reservation);
}

const agentIsNoMore = {
  kind: "unavailable",
  message: "the agent is not part of the cluster any more",
  field: "",
  retryAfterMs: 0,
};

/** The agent is not part of the cluster any more. Its tasks have ended, and its session is closed. */
export function forgetAgent(core: Core, agent: Agent): void {
  const { state } = core;
  leaveOverlays(core, agent);
  endDrain(core, agent);
  forgetInverseOffersOn(core, agent);
  forgetSetAside(core, agent);
  state.draining.delete(agent);
  state.agents.delete(agent.id);
  state.changedAgents.delete(agent);
  state.withheld.delete(agent);
  stopAwaiting(core, agent);
  clearFiltersOn(core, agent);
  core.effects.push({ type: "store", key: agentKey(agent.id), value: undefined, written: undefined });
  core.event({ agentRemoved: agent.id });
  for (const framework of state.frameworks.values())
    core.toFramework(framework, "agentsLost", { agentId: agent.id, gone: true }, 32);
}
