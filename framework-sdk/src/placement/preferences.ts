import { compareSides, type PlacementConstraint } from "./constraints.ts";
import type { AgentTraits } from "./references.ts";

/** Agents that are liked, or not. */
export interface Affinity extends PlacementConstraint {
  /** -100 to 100 without 0: how much. */
  readonly weight: number;
}

/** Instances are to be distributed over the values of a property. */
export interface Spread {
  /** For instance "${meta.rack}". */
  readonly attribute: string;
  /** 1 to 100: how much, beside other spreads. */
  readonly weight: number;
  /** Shares of all instances. What they leave over goes to all other values together; none: each value gets as much. */
  readonly targets: readonly { readonly value: string; readonly percent: number }[];
}

/** What is liked or spread counts for more than how full an agent gets and who is there already. */
const preferenceFactor = 2;

/** -2 to 2: what is liked against what is not. O(affinities). */
export function affinityScore(affinities: readonly Affinity[], agent: AgentTraits): number {
  let sum = 0;
  let all = 0;
  for (const affinity of affinities) {
    all += Math.abs(affinity.weight);
    if (compareSides(affinity, agent)) sum += affinity.weight;
  }
  return all === 0 ? 0 : (preferenceFactor * sum) / all;
}

/**
 * How much the next instance is wanted where the properties of some spreads have these values: the more behind its share
 * a value is, the more. `counts` are those of each spread's values. O(spreads × targets).
 */
export function spreadScore(
  spreads: readonly Spread[],
  values: readonly (string | undefined)[],
  counts: readonly ReadonlyMap<string, number>[],
  wantedCount: number,
): number {
  let sum = 0;
  let weights = 0;
  for (const [place, { weight, targets }] of spreads.entries()) {
    weights += weight;
    sum += weight * behindShare(targets, values[place], counts[place] ?? new Map(), wantedCount);
  }
  return weights === 0 ? 0 : (preferenceFactor * sum) / weights;
}

function behindShare(
  targets: Spread["targets"],
  value: string | undefined,
  counts: ReadonlyMap<string, number>,
  wantedCount: number,
): number {
  // An agent without the property belongs to no share.
  if (value === undefined) return -wantedCount - 1;
  const present = counts.get(value) ?? 0;
  if (targets.length === 0) return -present;
  const target = targets.find((one) => one.value === value);
  if (target) return (target.percent * wantedCount) / 100 - present;
  const left = Math.max(0, 100 - targets.reduce((all, { percent }) => all + percent, 0));
  let others = 0;
  for (const [other, count] of counts) if (!targets.some((one) => one.value === other)) others += count;
  return (left * wantedCount) / 100 - others;
}
