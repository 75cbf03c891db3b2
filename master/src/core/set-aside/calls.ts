import { addResources, MusterError, type Result, subtractResources } from "@muster/foundation";
import { firstAbove } from "../../allocator/bound.ts";
import { roomOf } from "../../allocator/quota.ts";
import type { Core } from "../core.ts";
import type { Agent, Offer } from "../model.ts";
import { freeResources, rescindOffer } from "../offers.ts";
import type { ReservedShare, Volume } from "./model.ts";
import { beginOperation } from "./operations.ts";
import { hasSomething, joinShares, plainOf } from "./shares.ts";
import { planWish, type SetAsidePlan, type SetAsideWish, type Source } from "./wishes.ts";

/** An operator's wish about what is set aside on one agent. */
export interface SetAsideCall {
  /** Empty: the agent that has the reservation. */
  readonly agentId: string;
  readonly wish: SetAsideWish;
  readonly principal: string;
  /** Only says what would be. */
  readonly isDryRun: boolean;
  /** Called when the agent has it on its disk. */
  readonly respond: (result: Result<SetAsideOutcome>) => void;
}

export interface SetAsideOutcome {
  /** Made, taken away, or the one that a volume lies in; empty in a dry run that makes one. */
  readonly reservationId: string;
  readonly offersRescinded: number;
}

/**
 * Grants an operator's wish out of what is free, and out of what is offered if there is not enough: the newest offers of
 * the agent are taken back first. O(agents) for a reservation without an agent, else O(offers and reservations of it).
 */
export function takeSetAsideCall(core: Core, call: SetAsideCall): void {
  const respond = (result: Result<SetAsideOutcome>): void => {
    core.effects.push({ type: "respond", respond: () => call.respond(result) });
  };
  const agent = findAgent(core, call);
  if (agent instanceof MusterError) {
    respond({ ok: false, error: agent });
    return;
  }
  const found = findSource(agent, call.wish);
  if (found instanceof MusterError) {
    respond({ ok: false, error: found });
    return;
  }
  const { plan, taken } = found;
  const fault = quotaFault(core, plan, taken);
  if (fault) {
    respond({ ok: false, error: fault });
    return;
  }
  if (call.isDryRun) {
    respond({ ok: true, value: { reservationId: reservationOf(plan), offersRescinded: taken.length } });
    return;
  }
  for (const offer of taken) rescindOffer(core, offer, "an operator has changed what is reserved there");
  const { subject } = beginOperation(core, agent, plan, {
    framework: undefined,
    principal: call.principal,
    answer: (error) => {
      const reservationId = reservationOf(plan) || subject.id;
      call.respond(
        error ? { ok: false, error } : { ok: true, value: { reservationId, offersRescinded: taken.length } },
      );
    },
  });
}

function reservationOf(plan: SetAsidePlan): string {
  if (plan.type === "reserve") return plan.wish.reservationId;
  if (plan.type === "unreserve" || plan.type === "create_volume") return plan.reservation.id;
  return plan.volume.reservation.id;
}

function findAgent(core: Core, { agentId, wish }: SetAsideCall): Agent | MusterError {
  const { agents } = core.state;
  let agent = agents.get(agentId);
  if (agentId === "" && wish.type === "unreserve")
    for (const one of agents.values()) if (one.setAside?.reservations.has(wish.reservationId)) agent = one;
  if (agent === undefined && agentId === "" && wish.type === "unreserve")
    return new MusterError("not-found", `no reservation ${wish.reservationId}`, { field: "reservation_id" });
  if (agent === undefined) return new MusterError("not-found", `no agent ${agentId}`, { field: "agent_id" });
  if (agent.state === "registered") return agent;
  return new MusterError("unavailable", `agent ${agent.name} is ${agent.state}: it keeps what is reserved there`, {
    field: "agent_id",
    retryAfterMs: 1_000,
  });
}

/** The wish with as few offers taken back as it needs, newest first. */
function findSource(
  agent: Agent,
  wish: SetAsideWish,
): { readonly plan: SetAsidePlan; readonly taken: readonly Offer[] } | MusterError {
  let source: Source = {
    agent,
    plain: freeResources(agent),
    shares: idleOn(agent),
    volumes: [...(agent.setAside?.volumes.values() ?? [])].filter(({ holder }) => holder === undefined),
    role: undefined,
    where: `on ${agent.name}`,
  };
  const taken: Offer[] = [];
  let plan = planWish(source, wish, "");
  for (const offer of [...agent.offers].reverse()) {
    if (!(plan instanceof MusterError) || (plan.kind !== "stale" && plan.kind !== "wrong-state")) break;
    taken.push(offer);
    source = withOffer(source, offer);
    plan = planWish(source, wish, "");
  }
  if (!(plan instanceof MusterError)) return { plan, taken };
  const field = plan.field?.replace(/^\./, "") ?? "";
  // Nothing that an operator could wait for: tasks use it.
  return new MusterError(plan.kind === "stale" ? "wrong-state" : plan.kind, plan.message, { field });
}

function idleOn(agent: Agent): ReservedShare[] {
  const shares: ReservedShare[] = [];
  for (const reservation of agent.setAside?.reservations.values() ?? [])
    if (reservation.isSettled && hasSomething(reservation.idle))
      shares.push({ reservation, resources: reservation.idle });
  return shares;
}

function withOffer(source: Source, offer: Offer): Source {
  const volumes: readonly Volume[] = offer.volumes;
  return {
    ...source,
    plain: addResources(source.plain, plainOf(offer)),
    shares: joinShares(source.shares, offer.reserved),
    volumes: [...source.volumes, ...volumes],
  };
}

/** What is set aside for a role counts as held by it: its limit, and those of roles above, bound it too. */
function quotaFault(core: Core, plan: SetAsidePlan, taken: readonly Offer[]): MusterError | undefined {
  if (plan.type !== "reserve" || plan.refined !== undefined) return undefined;
  const { allocator } = core.state;
  if (!allocator.hasQuota) return undefined;
  allocator.settle();
  let name = plan.wish.role;
  while (name.includes("/") && !allocator.roles.has(name)) name = name.slice(0, name.lastIndexOf("/"));
  const role = allocator.roles.get(name);
  if (role === undefined) return undefined;
  let { resources } = plan;
  // Offers of the role itself that are taken back for it are held no more.
  for (const offer of taken) if (offer.member.role === role) resources = subtractResources(resources, plainOf(offer));
  const above = firstAbove(resources, roomOf(role));
  if (above === undefined) return undefined;
  const message = `the limit of ${plan.wish.role}, or of a role above it, leaves not enough ${above}: what is reserved counts as used`;
  return new MusterError("over-quota", message, { field: "resources" });
}
