import { noResources } from "@muster/foundation";
import type { Claim, Refusal } from "@muster/proto";
import { ClaimDraft, type ClaimPlan, claimRefusal, isClaimRefusal } from "./claim-draft.ts";
import type { Core } from "./core.ts";
import { isRepeated, type LaunchPlace, startGroup } from "./launch.ts";
import { limits } from "./limits.ts";
import type { Framework } from "./model.ts";
import { endOffer, rescindOffer } from "./offers.ts";
import { dropHold } from "./preemption/holds.ts";
import { idleFor, volumesFor } from "./set-aside/books.ts";

/** Claims of one set, or one that stands for itself, with their paths. */
interface ClaimSet {
  readonly id: string;
  readonly claims: { readonly claim: Claim; readonly field: string }[];
}

/** Grants or refuses claims in the order in which they came; a set where its first claim stands. O(tasks claimed). */
export function takeClaims(core: Core, framework: Framework, claims: readonly Claim[]): void {
  if (claims.length === 0) return;
  if (claims.length > limits.claimsPerMessage) {
    const refusal = claimRefusal("too-many", `at most ${limits.claimsPerMessage} claims a message`, "claims");
    core.refuse(framework, "claim", claims[0]?.claimId ?? "", "too-many", refusal.message, refusal.field);
    for (const claim of claims) answer(core, framework, claim, refusal);
    return;
  }
  for (const set of setsOf(claims)) takeSet(core, framework, set);
}

function setsOf(claims: readonly Claim[]): ClaimSet[] {
  const sets: ClaimSet[] = [];
  const byId = new Map<string, ClaimSet>();
  for (const [index, claim] of claims.entries()) {
    const entry = { claim, field: `claims[${index}]` };
    const known = claim.setId === "" ? undefined : byId.get(claim.setId);
    if (known !== undefined) {
      known.claims.push(entry);
      continue;
    }
    const set = { id: claim.setId, claims: [entry] };
    sets.push(set);
    if (claim.setId !== "") byId.set(claim.setId, set);
  }
  return sets;
}

/** All of a set is planned before any of it is done: what fails leaves no trace. */
function takeSet(core: Core, framework: Framework, set: ClaimSet): void {
  const broken = setFault(set);
  if (broken !== undefined) {
    for (const { claim } of set.claims) answer(core, framework, claim, broken);
    return;
  }
  const draft = new ClaimDraft(core, framework);
  const plans: ClaimPlan[] = [];
  for (const { claim, field } of set.claims) {
    const plan = draft.plan(claim, field);
    if (isClaimRefusal(plan)) {
      for (const other of set.claims) {
        const own = other.claim === claim;
        const message = `claim ${claim.claimId} of its set could not be granted: ${plan.message}`;
        answer(core, framework, other.claim, own ? plan : { ...plan, message, field: "" });
      }
      return;
    }
    plans.push(plan);
  }
  const overQuota = draft.quotaRefusal();
  if (overQuota !== undefined) {
    for (const { claim } of set.claims) answer(core, framework, claim, overQuota);
    return;
  }
  for (const offer of draft.taken)
    if (offer.framework === framework) {
      endOffer(core, offer, "claimed");
      core.toFramework(framework, "rescinds", { offerId: offer.id, reason: "claimed by the framework itself" }, 64);
      core.count("offers_ended", "claimed");
    } else rescindOffer(core, offer, `claimed by ${framework.name}, whose turn comes first`);
  for (const hold of draft.used) dropHold(core, hold);
  for (const plan of plans) grant(core, framework, plan);
}

function setFault({ id, claims }: ClaimSet): Refusal | undefined {
  const [first] = claims;
  if (first === undefined || id === "") return undefined;
  if (claims.length > limits.claimsPerSet)
    return claimRefusal("too-many", `at most ${limits.claimsPerSet} claims a set`, `${first.field}.set_id`);
  for (const { claim, field } of claims)
    if (claim.setSize !== claims.length) {
      const message = `set ${id} is said to have ${claim.setSize} claims, ${claims.length} came: a set comes in one message`;
      return claimRefusal("invalid", message, `${field}.set_size`);
    }
  return undefined;
}

function grant(core: Core, framework: Framework, { claim, agent, member, launches, repeated }: ClaimPlan): void {
  const reserved = agent.setAside === undefined ? [] : idleFor(agent, member.role);
  const place: LaunchPlace = {
    framework,
    member,
    agent,
    left: noResources,
    reserved,
    volumes: agent.setAside === undefined ? [] : volumesFor(agent, member.role),
  };
  for (const group of repeated) isRepeated(core, framework, group);
  for (const launch of launches) startGroup(core, place, launch);
  answer(core, framework, claim, undefined);
}

function answer(core: Core, framework: Framework, claim: Claim, refusal: Refusal | undefined): void {
  core.count("claims", refusal === undefined ? "granted" : refusal.kind);
  core.claimResult(framework, core.state.agents.get(claim.agentId), {
    claimId: claim.claimId,
    granted: refusal === undefined,
    refusal: refusal ?? null,
    sequence: 0,
  });
}
