import { addResources, containsResources, noResources, type Resources, subtractResources } from "@muster/foundation";
import { type Bound, customOf, firstAbove, largerOf, overlaps } from "../../allocator/bound.ts";

/** How many of those that share it may be chosen. */
export interface CountCap {
  readonly left: number;
}

/** How much may be taken from those that share it. */
export interface AmountCap {
  readonly left: Bound;
}

/** What could give way: a group of tasks, or an offer that nobody has used yet. */
export interface Candidate {
  /** Orders what is equal in everything else. */
  readonly id: string;
  readonly resources: Resources;
  /** All of a lower rank go before any of a higher one. */
  readonly rank: number;
  readonly priority: number;
  /** Of equals the newest goes: least is lost with it. */
  readonly startedAt: number;
  readonly counts: readonly CountCap[];
  readonly amounts: readonly AmountCap[];
}

/**
 * Who gives way on one agent so that what is lacking is there; undefined: not even all who may do. The highest rank
 * among the chosen is as low as can be, within it the highest priority; none of them could stay. Caps are kept whatever
 * is chosen. O(n log n + n x caps).
 */
export function chooseVictims<C extends Candidate>(lack: Resources, candidates: readonly C[]): C[] | undefined {
  const helpful = candidates.filter(({ resources }) => overlaps(lack, resources));
  const inOrder = helpful.sort(
    (a, b) =>
      a.rank - b.rank ||
      a.priority - b.priority ||
      helpOf(b, lack) - helpOf(a, lack) ||
      b.startedAt - a.startedAt ||
      (a.id < b.id ? -1 : 1),
  );
  const used = new Used();
  const chosen: C[] = [];
  let sum = noResources;
  for (const one of inOrder) {
    if (containsResources(sum, lack)) break;
    if (!overlaps(largerOf(subtractResources(lack, sum), noResources), one.resources)) continue;
    if (!used.take(one)) continue;
    chosen.push(one);
    sum = addResources(sum, one.resources);
  }
  if (!containsResources(sum, lack)) return undefined;
  return withoutSuperfluous(lack, chosen, sum);
}

/** Whoever would go last stays first if the others are enough. */
function withoutSuperfluous<C extends Candidate>(lack: Resources, chosen: readonly C[], sum: Resources): C[] {
  const needed: C[] = [];
  let left = sum;
  for (const one of [...chosen].reverse()) {
    const without = subtractResources(left, one.resources);
    if (containsResources(without, lack)) left = without;
    else needed.unshift(one);
  }
  return needed;
}

/** How much of what is lacking somebody has: the sum over all things of its part, each at most all. */
function helpOf({ resources }: Candidate, lack: Resources): number {
  const part = (have: number, need: number): number => (need > 0 ? Math.min(1, have / need) : 0);
  let help = 0;
  for (const name of ["cpuMillis", "memoryMiB", "diskMiB", "portCount"] as const)
    help += part(resources[name], lack[name]);
  for (const name in lack.custom) help += part(customOf(resources.custom, name, 0), lack.custom[name] ?? 0);
  return help;
}

/** What the chosen have used of their caps. */
class Used {
  readonly #counts = new Map<CountCap, number>();
  readonly #amounts = new Map<AmountCap, Resources>();

  /** Counts somebody in, if all its caps allow it. */
  take({ counts, amounts, resources }: Candidate): boolean {
    for (const cap of counts) if ((this.#counts.get(cap) ?? 0) >= cap.left) return false;
    for (const cap of amounts)
      if (firstAbove(addResources(this.#amounts.get(cap) ?? noResources, resources), cap.left) !== undefined)
        return false;
    for (const cap of counts) this.#counts.set(cap, (this.#counts.get(cap) ?? 0) + 1);
    for (const cap of amounts) this.#amounts.set(cap, addResources(this.#amounts.get(cap) ?? noResources, resources));
    return true;
  }
}

/** The highest rank and priority among the chosen, and how many there are: what one choice costs beside another. */
export function costOf(chosen: readonly Candidate[]): readonly [number, number, number] {
  let [rank, priority] = [-1, 0];
  for (const one of chosen) {
    if (one.rank > rank) [rank, priority] = [one.rank, one.priority];
    else if (one.rank === rank) priority = Math.max(priority, one.priority);
  }
  return [rank, priority, chosen.length];
}
