import { type Dependency, type DependencyCondition, dependenciesMax } from "../job/dependencies.ts";
import type { JobType } from "../job/types.ts";
import type { DecodedBlock } from "./decoded.ts";

export interface DependentOwner {
  readonly jobId: string;
  readonly type: JobType;
}

/** What a job or a group waits for; nothing at all where nothing is written. */
export function buildDependencies(
  block: DecodedBlock,
  { jobId, type }: DependentOwner,
): { dependsOn?: readonly Dependency[] } {
  const blocks = block.all("depends_on");
  const seen = new Set<string>();
  const dependsOn = blocks.map((one): Dependency => {
    const job = one.text("job") ?? "";
    const fail = (summary: string, hint?: string): void =>
      one.error("job", { code: "job/depends-on", summary, ...(hint === undefined ? {} : { hint }) });
    if (!/^[\x21-\x7e]{1,128}$/.test(job) || job.includes("/")) fail(`"${job}" is no job's id`);
    else if (job === jobId) fail(`job "${jobId}" can't wait for itself`, "tasks of one group are ordered by lifecycle");
    else if (seen.has(job)) fail(`it waits for job "${job}" already`);
    seen.add(job);
    return { job, condition: (one.text("condition") ?? "healthy") as DependencyCondition };
  });
  if (type === "batch" || type === "sysbatch")
    blocks[0]?.error(undefined, {
      code: "job/depends-on",
      summary: `a ${type} job waits for no other job`,
      hint: 'service jobs can wait for it, with condition = "complete"',
    });
  if (blocks.length > dependenciesMax)
    blocks[dependenciesMax]?.error(undefined, {
      code: "job/depends-on",
      summary: `at most ${dependenciesMax} jobs can be waited for`,
    });
  return dependsOn.length > 0 ? { dependsOn } : {};
}
