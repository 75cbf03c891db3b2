import { StatusReason } from "@muster/proto";
import type { Core } from "../core.ts";
import { sendKill } from "../kills.ts";
import type { Agent } from "../model.ts";

/** The time until the deadline begins, or goes on in a new reign. */
export function beginDrain(core: Core, agent: Agent): void {
  const { standing } = agent;
  if (standing?.name !== "draining") return;
  endDrain(core, agent);
  agent.drainTimer = core.after(standing.deadlineAt - core.epochMs, { type: "drain-deadline", agent });
}

/** It is over, or was called off: tasks that are being ended already end all the same. */
export function endDrain(core: Core, agent: Agent): void {
  if (agent.drainTimer) core.state.timers.remove(agent.drainTimer);
  agent.drainTimer = undefined;
  agent.drainForced = false;
}

export function drainDeadline(core: Core, agent: Agent): void {
  agent.drainTimer = undefined;
  if (agent.standing?.name !== "draining") return;
  agent.drainForced = true;
  core.state.changedAgents.add(agent);
  core.log("info", { agentId: agent.id, tasks: agent.tasks.size }, "deadline of a drain: what is left is ended");
  forceDrain(core, agent);
}

/** Ends what is left on an agent whose deadline has passed. The wish is kept: an agent that is away hears it when it is back. */
export function forceDrain(core: Core, agent: Agent): void {
  const { standing } = agent;
  if (standing?.name !== "draining" || !agent.drainForced) return;
  const { graceMsMax } = standing;
  for (const task of agent.tasks) {
    const { graceMs = graceMsMax, reason = StatusReason.REASON_AGENT_DRAINING } = task.kill ?? {};
    const least = graceMs === undefined || graceMsMax === undefined ? graceMs : Math.min(graceMs, graceMsMax);
    task.kill = { ...task.kill, graceMs: least, reason };
    if (agent.state === "registered") sendKill(core, task);
  }
}
