import type { Affinity, PlacementPolicy, Preferences, Spread } from "../job/preferences.ts";
import { placementPolicies } from "../job/preferences.ts";
import type { JobType } from "../job/types.ts";
import { buildConstraint } from "./build-policies.ts";
import type { DecodedBlock } from "./decoded.ts";

const weightDefault = 50;

/** What a job, a group or a task prefers; nothing at all where nothing is written. */
export function buildPreferences(block: DecodedBlock): Preferences {
  const affinities = block.all("affinity").flatMap((one) => buildAffinity(one) ?? []);
  const spreads = block.all("spread").map(buildSpread);
  return { ...(affinities.length > 0 ? { affinities } : {}), ...(spreads.length > 0 ? { spreads } : {}) };
}

/** Whether jobs of a type have one instance on every agent. */
export function isEverywhere(type: JobType): boolean {
  return type === "system" || type === "sysbatch";
}

/** What runs everywhere has nothing to choose. */
export function refusePreferences(type: JobType, blocks: readonly DecodedBlock[]): void {
  for (const name of ["affinity", "spread"])
    for (const one of blocks.flatMap((block) => block.all(name)))
      one.error(undefined, {
        code: "job/system-preference",
        summary: `a ${type} job has no ${name}: it runs on every agent`,
        hint: "a constraint says on which agents it does not run",
      });
}

export function buildPlacement(job: DecodedBlock): { placement?: PlacementPolicy } {
  const placement = placementPolicies.find((policy) => policy === job.text("placement"));
  return placement ? { placement } : {};
}

/** What is about instances among themselves is no preference of an agent. */
const refused: ReadonlySet<string> = new Set(["distinct_hosts", "distinct_property", "cluster", "group_by"]);

function buildAffinity(block: DecodedBlock): Affinity | undefined {
  const sides = buildConstraint(block);
  const weight = block.number("weight") ?? weightDefault;
  if (weight === 0)
    block.error("weight", {
      code: "job/affinity",
      summary: "an affinity with weight 0 has no effect",
      hint: "-100 to 100",
    });
  if (sides && refused.has(sides.operator)) {
    block.error("operator", { code: "job/affinity", summary: `an affinity has no operator ${sides.operator}` });
    return undefined;
  }
  return sides && { ...sides, weight };
}

function buildSpread(block: DecodedBlock): Spread {
  const targets = block.all("target").map((target) => ({
    value: target.label !== "" ? target.label : (target.text("value") ?? ""),
    percent: target.number("percent") ?? 0,
  }));
  const sum = targets.reduce((all, { percent }) => all + percent, 0);
  if (sum > 100)
    block.error(undefined, {
      code: "job/spread",
      summary: `the targets of a spread are ${sum} %, at most 100 % can be`,
    });
  return { attribute: block.text("attribute") ?? "", weight: block.number("weight") ?? weightDefault, targets };
}
