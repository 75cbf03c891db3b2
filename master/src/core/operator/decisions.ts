import type { Core } from "../core.ts";
import type { Agent } from "../model.ts";
import { rescindOffer } from "../offers.ts";
import { dropHolds } from "../preemption/holds.ts";
import { beginDrain, endDrain } from "./drain.ts";
import { expelAgent } from "./gone.ts";
import { type Decision, setStanding } from "./standing.ts";

/** What has been decided about an agent takes effect. Undefined: it is as any other again. */
export function applyDecision(core: Core, agentId: string, decision: Decision | undefined): void {
  const { state } = core;
  const agent = state.agents.get(agentId);
  const before = state.standings.get(agentId);
  if (decision?.name === "gone") {
    if (before?.name === "draining" && agent) endDrain(core, agent);
    setStanding(state, agentId, undefined);
    expelAgent(core, agentId, agent, decision.since);
    return;
  }
  setStanding(state, agentId, decision);
  core.log("info", { agentId, standing: decision?.name ?? "active" }, "an operator has decided about an agent");
  if (agent === undefined) return;
  if (before?.name === "draining" && decision?.name !== "draining") endDrain(core, agent);
  if (decision === undefined) offerAgain(core, agent);
  else {
    for (const offer of [...agent.offers]) rescindOffer(core, offer, reasonOf(decision.name));
    dropHolds(core, agent);
  }
  if (decision?.name === "draining") beginDrain(core, agent);
}

function offerAgain(core: Core, agent: Agent): void {
  agent.changeCount++;
  if (agent.state === "registered") core.state.dirty.add(agent);
}

function reasonOf(name: "deactivated" | "draining" | "drained"): string {
  return name === "draining" ? "the agent is being drained" : `the agent is ${name}`;
}
