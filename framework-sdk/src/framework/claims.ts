import { isEmptyResources, type Random, subtractResources } from "@muster/foundation";
import { type ClusterView, isUsable } from "../cluster/cluster-view.ts";
import { agentRoom } from "../placement/agent-room.ts";
import { demandOn, type Need, type Room } from "../placement/fit.ts";
import { Matcher } from "../placement/matcher.ts";
import { withPorts } from "../placement/ports.ts";
import type { ClaimAnswer } from "../scheduler/claims.ts";

/** An agent on which others are before the framework is left alone for so long at most. */
const othersFirstMsMax = 1_000;
/** Of what the picture does not show why it was refused the next picture need not show it either. */
const unexplainedMs = 1_000;
/** A claim that is wrong in itself is tried again after so long, for the cluster may have changed. */
const wrongMs = 5_000;

/** Where a framework that claims may find room: the cluster as its feed shows it, without agents that refused it. */
export class ClaimableRooms {
  readonly #rooms = new Map<string, Room>();
  /** Agents of which something is offered to others: taken last. */
  readonly #offered = new Set<string>();

  constructor(
    view: ClusterView,
    refusals: Pick<ClaimRefusals, "holdsBack">,
    nowMs: number,
    shrink: (room: Room) => Room,
    roles: readonly string[],
  ) {
    for (const agent of view.agents.values()) {
      if (!isUsable(agent) || refusals.holdsBack(agent.agentId, view.sequence, nowMs)) continue;
      this.#rooms.set(agent.agentId, shrink(agentRoom(agent, roles)));
      if (!isEmptyResources(agent.offered)) this.#offered.add(agent.agentId);
    }
  }

  /**
   * Agents for so many instances, best first; fewer if there is no more room, and none if all are wanted together and
   * not all fit. What is found is taken. O(count x agents).
   */
  find(need: Need, count: number, together: boolean, present: readonly string[], random: Random): Room[] {
    const matcher = new Matcher([...this.#rooms.values()], random);
    const occupants = matcher.occupants(present);
    const found: Room[] = [];
    while (found.length < count) {
      const answer = matcher.place({ ...need, avoids: this.#offered }, occupants);
      const room = "placed" in answer ? this.#rooms.get(answer.placed.agentId) : undefined;
      if (room === undefined) break;
      found.push(room);
    }
    if (together && found.length < count) return [];
    for (const { agentId } of found) this.#take(agentId, need);
    return found;
  }

  #take(agentId: string, need: Need): void {
    const room = this.#rooms.get(agentId);
    if (room === undefined) return;
    const available = subtractResources(room.available, demandOn(need, room));
    this.#rooms.set(agentId, { ...room, available, ...withPorts(need.staticPorts, room) });
  }
}

/** Agents that refused a claim, until it is worth another. */
export class ClaimRefusals {
  readonly #byAgent = new Map<string, { readonly sequence: number; readonly untilMs: number }>();

  /** Milliseconds after which to look again, even if the feed says nothing; 0: the feed will say something. */
  note({ request, refusal, sequence }: ClaimAnswer, nowMs: number): number {
    if (refusal === undefined) return 0;
    const last = this.#byAgent.get(request.agentId);
    const before = last?.sequence === sequence ? last : undefined;
    // Refused again although nothing has been told since: to ask at once would go on without end.
    const isUnexplained = before !== undefined && before.untilMs < nowMs;
    const waitMs = Math.max(waitAfter(refusal.kind, refusal.retryAfterMs), isUnexplained ? unexplainedMs : 0);
    // Claims of one set are refused together, and each is told.
    const untilMs = Math.max(nowMs + waitMs, before?.untilMs ?? 0);
    this.#byAgent.set(request.agentId, { sequence, untilMs });
    return waitMs;
  }

  /** Whether the picture is still the one that misled, or it is too early to ask again. */
  holdsBack(agentId: string, sequence: number, nowMs: number): boolean {
    const refused = this.#byAgent.get(agentId);
    return refused !== undefined && (sequence < refused.sequence || nowMs < refused.untilMs);
  }

  /** Another master counts anew. */
  clear(): void {
    this.#byAgent.clear();
  }
}

function waitAfter(kind: string, retryAfterMs: number): number {
  if (kind === "stale" || kind === "cancelled") return 0;
  if (kind === "unavailable") return Math.min(Math.max(retryAfterMs, 1), othersFirstMsMax);
  return wrongMs;
}
