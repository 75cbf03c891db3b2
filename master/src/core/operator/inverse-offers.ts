import type { InverseOfferAnswer } from "@muster/proto";
import type { Core } from "../core.ts";
import { limits } from "../limits.ts";
import type { Agent, Framework } from "../model.ts";
import { refuseMs } from "../offers.ts";
import { type Unavailability, unavailabilityOf } from "./maintenance.ts";

/** A framework is asked to give an agent back, until it has nothing there or the reason is gone. */
export interface InverseOffer {
  readonly id: string;
  readonly agent: Agent;
  readonly framework: Framework;
  readonly unavailability: Unavailability;
  answer: "pending" | "accepted" | "declined";
}

/**
 * Asks those who have something on an agent that is wanted back, and asks nobody else any more. Called once a tick, for
 * agents that have changed: O(their tasks + offers).
 */
export function settleInverseOffers(core: Core): void {
  const { leaving, changedAgents } = core.state;
  for (const agent of leaving) if (changedAgents.has(agent)) settleAgent(core, agent);
}

function settleAgent(core: Core, agent: Agent): void {
  const unavailability = unavailabilityOf(agent);
  const holders = new Set<Framework>();
  if (unavailability !== undefined) {
    for (const { group } of agent.tasks) holders.add(group.framework);
    for (const { framework } of agent.offers) holders.add(framework);
  } else core.state.leaving.delete(agent);
  for (const inverse of [...agent.inverseOffers.values()])
    if (!holders.has(inverse.framework) || !isSame(inverse.unavailability, unavailability))
      endInverseOffer(core, inverse, unavailability ? "nothing of the framework is left there" : "not wanted any more");
  if (unavailability === undefined) return;
  for (const framework of holders)
    if (framework.state === "connected" && !agent.inverseOffers.has(framework))
      makeInverseOffer(core, agent, framework, unavailability);
}

function isSame(a: Unavailability, b: Unavailability | undefined): boolean {
  return b !== undefined && a.startAt === b.startAt && a.durationMs === b.durationMs && a.isDrain === b.isDrain;
}

function makeInverseOffer(core: Core, agent: Agent, framework: Framework, unavailability: Unavailability): void {
  const { state } = core;
  const number = (++state.offerCount).toString(36);
  const id = `inverse-${state.epoch.toString(36)}-${number}`;
  const inverse: InverseOffer = { id, agent, framework, unavailability, answer: "pending" };
  state.inverseOffers.set(id, inverse);
  agent.inverseOffers.set(framework, inverse);
  const { startAt, durationMs, isDrain } = unavailability;
  const news = { inverseOfferId: id, agentId: agent.id, agentName: agent.name, startAt, durationMs, isDrain };
  core.toFramework(framework, "inverseOffers", news, 160);
  core.count("inverse_offers", "made");
}

function endInverseOffer(core: Core, inverse: InverseOffer, reason: string): void {
  forget(core, inverse);
  core.toFramework(inverse.framework, "inverseRescinds", { inverseOfferId: inverse.id, reason }, 96);
}

function forget(core: Core, { id, agent, framework }: InverseOffer): void {
  core.state.inverseOffers.delete(id);
  agent.inverseOffers.delete(framework);
  core.state.changedAgents.add(agent);
}

/** A session of a framework has begun or ended: what it was asked before is void, and it is asked anew. O(agents wanted back). */
export function forgetInverseOffers(core: Core, framework: Framework): void {
  for (const agent of core.state.leaving) {
    const inverse = agent.inverseOffers.get(framework);
    if (inverse) forget(core, inverse);
    core.state.changedAgents.add(agent);
  }
}

/** The agent is no more. */
export function forgetInverseOffersOn(core: Core, agent: Agent): void {
  for (const { id } of agent.inverseOffers.values()) core.state.inverseOffers.delete(id);
  agent.inverseOffers.clear();
  core.state.leaving.delete(agent);
}

/** Notes what a framework says to being asked. Whoever declines is asked again when its filter ends. */
export function takeInverseAnswer(core: Core, framework: Framework, answer: InverseOfferAnswer, field: string): void {
  const call = "inverse_offer_answer";
  const { inverseOfferIds, accepted, filters } = answer;
  if (inverseOfferIds.length > limits.offersPerCall) {
    core.refuse(framework, call, "", "too-many", `at most ${limits.offersPerCall} inverse offers an answer`, field);
    return;
  }
  for (const [index, id] of inverseOfferIds.entries()) {
    const inverse = core.state.inverseOffers.get(id);
    if (inverse === undefined || inverse.framework !== framework) {
      const message = `no inverse offer ${id} of this framework: it was rescinded or never made`;
      core.refuse(framework, call, id, "offer-gone", message, `${field}.inverse_offer_ids[${index}]`);
      continue;
    }
    inverse.answer = accepted ? "accepted" : "declined";
    core.state.changedAgents.add(inverse.agent);
    core.count("inverse_offers", inverse.answer);
    if (!accepted) core.after(refuseMs(filters), { type: "inverse-again", inverse });
  }
}

/** The filter of a declined one has ended: the framework is asked anew. */
export function askAgain(core: Core, inverse: InverseOffer): void {
  if (core.state.inverseOffers.get(inverse.id) !== inverse || inverse.answer !== "declined") return;
  forget(core, inverse);
}
