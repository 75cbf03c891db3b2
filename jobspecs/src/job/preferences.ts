import { decodeSides } from "./decode-policies.ts";
import { Reader } from "./reader.ts";
import type { Constraint } from "./types.ts";

/** Agents that are liked, or not. */
export interface Affinity extends Constraint {
  /** -100 to 100 without 0. */
  readonly weight: number;
}

/** Instances are distributed over the values of a property. */
export interface Spread {
  /** E.g. `${meta.rack}`: interpolated on the agent's attributes. */
  readonly attribute: string;
  /** 0 to 100. */
  readonly weight: number;
  /** Shares; what they leave over goes to all other values together. None: every value gets as much. */
  readonly targets: readonly { readonly value: string; readonly percent: number }[];
}

/**
 * How instances are placed where several agents would do; absent: kept apart, on full agents. pack: on full agents,
 * together or not. spread: kept apart, where there is most room.
 */
export const placementPolicies = ["pack", "spread"] as const;
export type PlacementPolicy = (typeof placementPolicies)[number];

/** What a job or a group prefers. Absent where nothing is said, so that what was said before these existed stays the same. */
export interface Preferences {
  readonly affinities?: readonly Affinity[];
  readonly spreads?: readonly Spread[];
}

/** Preferences that one job, group or task may have of each kind. */
const preferencesMax = 100;

export function decodePreferences(owner: Reader): Preferences {
  const affinities = owner.has("affinities") ? owner.list("affinities", preferencesMax, readAffinity) : [];
  const spreads = owner.has("spreads") ? owner.list("spreads", preferencesMax, readSpread) : [];
  return { ...(affinities.length > 0 ? { affinities } : {}), ...(spreads.length > 0 ? { spreads } : {}) };
}

function readAffinity(value: unknown, path: string): Affinity {
  const reader = new Reader(value, path);
  const weight = reader.integer("weight", -100, 100);
  if (weight === 0) reader.fail("weight", "must not be 0");
  const made = { ...decodeSides(reader), weight };
  reader.done();
  return made;
}

function readSpread(value: unknown, path: string): Spread {
  const reader = new Reader(value, path);
  const targets = reader.list("targets", preferencesMax, (one, at) => {
    const target = new Reader(one, at);
    const made = { value: target.text("value"), percent: target.integer("percent", 0, 100) };
    target.done();
    return made;
  });
  if (targets.reduce((sum, { percent }) => sum + percent, 0) > 100) reader.fail("targets", "must be at most 100 %");
  const made = { attribute: reader.text("attribute"), weight: reader.integer("weight", 0, 100), targets };
  reader.done();
  return made;
}
