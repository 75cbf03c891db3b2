import { WorldError } from "@muster/testing";
import { runDeployments } from "./deployments/run-deployments.ts";
import type { SeedReport } from "./report.ts";
import { runKeeper } from "./run-keeper.ts";
import { runPreemption } from "./run-preemption.ts";
import { runRoles } from "./run-roles.ts";
import { runSeed } from "./run-seed.ts";
import { runSmall } from "./small/run-small.ts";

/** What is needed to run seeds and to tell of them, as one module to compile. */
export { Hits } from "@muster/testing";
export { describe } from "./report.ts";
export { runDeployments, runSeed, runSmall };

/** Workloads beside the two that have many seeds: each has a subject of its own. */
const others = { keeper: runKeeper, roles: runRoles, preemption: runPreemption };

/** A workload of which CI runs seeds. */
export type AnyWorkload = SeedReport["workload"] | keyof typeof others;

/** What is found in one seed of a workload, as far as it is run. */
export function violationsOf(workload: AnyWorkload, seed: number): SeedReport["violations"] {
  if (workload === "first") return runSeed(seed, { stopsEarly: true }).violations;
  if (workload === "small") return runSmall(seed, { stopsEarly: true }).violations;
  if (workload === "deployments") return runDeployments(seed).violations;
  try {
    return others[workload](seed).cluster.violations.all;
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    const detail = String((error.cause as Error)?.stack ?? error);
    return [{ rule: "bug", subject: error.who, detail, atMs: error.atMs }];
  }
}
