import {
  addResources,
  fit,
  Matcher,
  MusterError,
  type Need,
  noResources,
  OpenRoom,
  type Resources,
  subtractResources,
} from "@muster/framework-sdk";
import type { TaskGroup } from "@muster/jobspecs";
import { BalanceOfGroup, type Loads, minGain } from "./balance.ts";
import { agentsOf } from "./launching.ts";
import { leavesInMs } from "./leaving.ts";
import { type Instance, isCurrent, type JobEntry, type Now, type ServicesState } from "./model.ts";
import { movesAtOnce } from "./rebalance-pace.ts";
import { rooms, type Surroundings } from "./report.ts";
import { isSticky } from "./sticky.ts";
import { isBound } from "./volumes.ts";

/** Moves of one plan, unless fewer are asked for. */
export const movesMax = 100;
/** Of a group's agents so many of the worst are compared with so many of the best others, for each move. */
const sourcesMax = 32;
const targetsMax = 64;

/** One instance that is better off on another agent. */
export interface PlannedMove {
  readonly entry: JobEntry;
  readonly instance: Instance;
  readonly fromAgentName: string;
  readonly toAgentId: string;
  readonly toAgentName: string;
  /** For people, with numbers. */
  readonly reason: string;
  /** How much better it is; more than 0. */
  readonly gain: number;
}

export interface RebalancePlan {
  /** The most useful first. Any of them may be made without the others. */
  readonly moves: readonly PlannedMove[];
  /** What is left as it is, and why. */
  readonly remarks: readonly string[];
}

/**
 * Which instances of jobs would be better distributed elsewhere, as their jobs understand it. Every move by itself makes
 * the sum of what is wanted greater by at least `minGain`, so a plan is never worse than what is there. Each has room
 * beside all that is there and all other moves, for a successor comes before its predecessor goes.
 * O(groups × agents × constraints + moves × agents).
 */
export function planRebalance(
  entries: readonly JobEntry[],
  around: Surroundings,
  now: Now,
  countMax: number,
): RebalancePlan {
  if (!around.isKnown)
    throw new MusterError("unavailable", "the cluster's agents are not known yet", { retryAfterMs: 1_000 });
  const open = new OpenAgents(around, now);
  const moves: PlannedMove[] = [];
  const remarks: string[] = [];
  const inOrder = [...entries].sort(
    (a, b) => b.current.job.priority - a.current.job.priority || (a.name < b.name ? -1 : 1),
  );
  for (const entry of inOrder) {
    const reason = standingReason(entry);
    if (reason !== undefined) {
      remarks.push(`job ${entry.name}: ${reason}`);
      continue;
    }
    for (const group of entry.current.job.groups) {
      const why = groupReason(entry, group);
      if (why !== undefined) remarks.push(`job ${entry.name}: group ${group.name}: ${why}`);
      else moves.push(...planGroup(entry, group, open, around, now, countMax - moves.length));
    }
  }
  if (moves.length >= countMax)
    remarks.push(`${countMax} moves are all that one plan has: plan again when they are made`);
  return { moves: moves.sort((a, b) => b.gain - a.gain), remarks };
}

/** Instances begin to move, as their jobs' pace allows. */
export function beginMoves(state: ServicesState, moves: readonly PlannedMove[]): void {
  for (const { entry, instance, toAgentId } of moves) {
    instance.move = { toAgentId, wantedSinceMs: undefined };
    state.dirty.add(entry.name);
  }
}

/** Why nothing of a job is moved; undefined: it may be. */
export function standingReason({ current, isStopped }: JobEntry): string | undefined {
  if (isStopped) return "it is stopped";
  if (current.job.type !== "service") return "it runs on every agent that it may run on";
  return current.record.stable ? undefined : "its update goes on";
}

function groupReason(entry: JobEntry, group: TaskGroup): string | undefined {
  if (isBound(entry, group)) return "its volumes stay where they are";
  if (isSticky(group)) return "its files stay where they are: sticky = true";
  if (movesAtOnce(group) === 0) return "its migrate or update block lets none be there too many";
  const prefix = `${group.name}/`;
  return [...entry.waiting.keys()].some((key) => key.startsWith(prefix)) ? "some of it waits for room" : undefined;
}

/** Moves of one group, each the best that is left. */
function planGroup(
  entry: JobEntry,
  group: TaskGroup,
  open: OpenAgents,
  around: Surroundings,
  now: Now,
  countMax: number,
): PlannedMove[] {
  const version = entry.current;
  const need = version.needs.get(group.name);
  if (need === undefined) return [];
  const want = { entry, version, group, slot: { index: 0, agentId: undefined }, need, role: "", sinceMs: 0 };
  const occupants = new Matcher([], around.random, open.all()).occupants(agentsOf(want));
  const movable = new Map<string, Instance[]>();
  const present: string[] = [];
  for (const instance of entry.instances.values()) {
    if (instance.group !== group.name || instance.isKilling) continue;
    present.push(instance.agentId);
    if (!isMovable(entry, group, instance, now)) continue;
    const list = movable.get(instance.agentId);
    if (list) list.push(instance);
    else movable.set(instance.agentId, [instance]);
  }
  const balance = new BalanceOfGroup(need, group.count, present, open);
  const failedOn = new Set(
    [...entry.restarts].flatMap(([key, one]) => (key.startsWith(`${group.name}/`) ? one.failedOn : [])),
  );
  const fitting = new Set<string>();
  for (const room of open.all())
    if (!failedOn.has(room.agentId) && fit(need, room, occupants).fits) fitting.add(room.agentId);
  const moves: PlannedMove[] = [];
  while (moves.length < countMax) {
    const best = bestMove(balance, movable, fitting, (agentId) => {
      const room = open.of(agentId);
      return room !== undefined && fit(need, room, occupants).fits;
    });
    const instance = best && movable.get(best.from)?.pop();
    const room = best && open.of(best.to);
    if (!best || !instance || !room) break;
    const fromAgentName = around.agents.get(best.from)?.name || best.from;
    const reason = balance.reasonOf(best.from, best.to, fromAgentName, room.agentName);
    moves.push({
      entry,
      instance,
      fromAgentName,
      toAgentId: best.to,
      toAgentName: room.agentName,
      reason,
      gain: best.gain,
    });
    balance.moved(best.from, best.to);
    open.move(best.from, room, need);
    occupants.add(best.to);
    if (!fit(need, room, occupants).fits) fitting.delete(best.to);
  }
  return moves;
}

/** It serves as its job wants it, and nothing else is being done with it. */
function isMovable(entry: JobEntry, { update }: TaskGroup, instance: Instance, now: Now): boolean {
  const { healthySinceMs, unreachableSinceMs, isEnding, move } = instance;
  const isQuiet = unreachableSinceMs === undefined && !isEnding && move === undefined && isCurrent(entry, instance);
  return isQuiet && healthySinceMs !== undefined && now.monotonicMs - healthySinceMs >= update.minHealthyTimeMs;
}

function bestMove(
  balance: BalanceOfGroup,
  movable: ReadonlyMap<string, readonly Instance[]>,
  fitting: ReadonlySet<string>,
  stillFits: (agentId: string) => boolean,
): { readonly from: string; readonly to: string; readonly gain: number } | undefined {
  const byWorth = (agentIds: Iterable<string>, worthOf: (agentId: string) => number, countMax: number): string[] =>
    [...agentIds]
      .map((agentId) => ({ agentId, worth: worthOf(agentId) }))
      .sort((a, b) => b.worth - a.worth || (a.agentId < b.agentId ? -1 : 1))
      .slice(0, countMax)
      .map(({ agentId }) => agentId);
  const from = [...movable].flatMap(([agentId, list]) => (list.length > 0 ? agentId : []));
  const sources = byWorth(from, (agentId) => balance.released(agentId), sourcesMax);
  const targets = byWorth(fitting, (agentId) => -balance.cost(agentId), targetsMax);
  const pairs: { from: string; to: string; gain: number }[] = [];
  for (const source of sources)
    for (const target of targets) {
      const gain = source === target ? 0 : balance.gain(source, target);
      if (gain >= minGain) pairs.push({ from: source, to: target, gain });
    }
  pairs.sort((a, b) => b.gain - a.gain);
  return pairs.find(({ to }) => stillFits(to));
}

/** Agents that could take more, with what is left of each after the moves so far. */
class OpenAgents implements Loads {
  readonly #rooms = new Map<string, OpenRoom>();
  /** What moves so far will have left: nobody else is given it before they have. */
  readonly #left = new Map<string, Resources>();

  constructor(around: Surroundings, now: Now) {
    for (const room of rooms(around.agents))
      if (leavesInMs(around.agents.get(room.agentId), now) === undefined)
        this.#rooms.set(room.agentId, new OpenRoom(room, 0));
  }

  all(): IterableIterator<OpenRoom> {
    return this.#rooms.values();
  }

  of(agentId: string): OpenRoom | undefined {
    return this.#rooms.get(agentId);
  }

  /** 0 to 1: of the amount of which least is left. Of an agent that is to be left it does not matter. */
  loadOf(agentId: string): number {
    const room = this.#rooms.get(agentId);
    if (room === undefined) return 0;
    const used = subtractResources(room.total, room.available);
    return largestPart(subtractResources(used, this.#left.get(agentId) ?? noResources), room.total);
  }

  move(from: string, to: OpenRoom, need: Need): void {
    to.take(need);
    this.#left.set(from, addResources(this.#left.get(from) ?? noResources, need.resources));
  }

  shareOf(agentId: string, { resources }: Need): number {
    const room = this.#rooms.get(agentId);
    return room ? largestPart(resources, room.total) : 0;
  }
}

function largestPart(some: Resources, all: Resources): number {
  const part = (amount: number, whole: number): number => (whole <= 0 ? 0 : amount / whole);
  return Math.max(part(some.cpuMillis, all.cpuMillis), part(some.memoryMiB, all.memoryMiB));
}
