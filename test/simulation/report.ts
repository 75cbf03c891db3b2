import type { DatedViolation } from "@muster/testing";

/** "first": ten minutes of a cluster with much to do. "small": a few agents and a minute of chaos, for many seeds. "deployments": new versions all the while. */
export type WorkloadName = "first" | "small" | "deployments";

export interface SeedReport {
  /** Which workload it is a seed of. */
  readonly workload: WorkloadName;
  readonly seed: number;
  /** Two runs of one seed have one hash. */
  readonly digest: string;
  readonly violations: readonly DatedViolation[];
  readonly hits: readonly (readonly [fault: string, component: string, count: number])[];
  /** Kinds of faults of this run, and what was done when. */
  readonly kinds: readonly string[];
  readonly history: readonly string[];
  readonly startCount: number;
  readonly eventCount: number;
  readonly virtualMs: number;
}

/** For people: what went wrong, and how to see it again. */
export function describe(report: SeedReport): string {
  const minutes = (report.virtualMs / 60_000).toFixed(1);
  return [
    `${report.workload} workload, seed ${report.seed}: ${report.violations.length} violations in ${minutes} virtual minutes, ${report.startCount} commands started`,
    `  faults: ${report.kinds.join(", ") || "none"}`,
    ...report.history.map((line) => `    ${line}`),
    ...report.violations.map(
      ({ atMs, rule, subject, detail }) => `  ${(atMs / 1_000).toFixed(3)} s  ${rule}  ${subject}: ${detail}`,
    ),
    `  replay: ${replayLine(report.workload, report.seed)}`,
  ].join("\n");
}

export function replayLine(workload: WorkloadName, seed: number): string {
  return `npm run simulate -- --workload ${workload} --seed ${seed}`;
}
