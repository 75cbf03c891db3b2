import { priorityClasses, priorityDefault, priorityMax } from "@muster/foundation";
import { cronProblem, intervalProblem, isTimeZone, type TextProblem } from "../job/schedules.ts";
import { type Job, type JobType, jobSchema, type Overlap, type Schedule, type TaskGroup } from "../job/types.ts";
import { buildDependencies } from "./build-dependencies.ts";
import { buildEnvironment } from "./build-environment.ts";
import { buildGroup } from "./build-group.ts";
import { buildParameterized, refuseUnfitDispatch } from "./build-parameterized.ts";
import { buildConstraints } from "./build-policies.ts";
import { buildPlacement, buildPreferences, isEverywhere, refusePreferences } from "./build-preferences.ts";
import type { DecodedBlock } from "./decoded.ts";

/** Names that are written twice are reported at the second place. */
export function refuseRepeated(blocks: readonly DecodedBlock[], what: string): void {
  const seen = new Set<string>();
  for (const block of blocks) {
    if (seen.has(block.label)) {
      block.error(undefined, { code: "job/repeated", summary: `two ${what}s are named "${block.label}"` });
    }
    seen.add(block.label);
  }
}

/** Turns the checked block into a job; what does not fit together is reported. */
export function buildJob(block: DecodedBlock): Job {
  const id = block.text("id") ?? block.label;
  if (!/^[\x21-\x7e]{1,128}$/.test(id) || id.includes("/")) {
    block.error(block.has("id") ? "id" : undefined, {
      code: "job/bad-id",
      summary: `"${id}" can't be a job's id`,
      detail: "An id has 1 to 128 visible ASCII characters, without spaces and slashes.",
    });
  }
  const type = (block.text("type") ?? "service") as JobType;
  const schedule = buildSchedule(block, type);
  const meta = block.textMap("meta");
  const common = { jobId: id, type, meta, env: buildEnvironment(block), job: block };
  const groupBlocks = block.all("group");
  const taskBlocks = block.all("task");
  if (groupBlocks.length + taskBlocks.length === 0) {
    block.error(undefined, { code: "job/no-groups", summary: "the job has no group", hint: 'add group "name" { }' });
  }
  refuseRepeated([...groupBlocks, ...taskBlocks], "group");
  const groupCount = groupBlocks.length + taskBlocks.length;
  const groups: TaskGroup[] = [
    ...groupBlocks.map((group) => buildGroup(group, group.all("task"), { ...common, groupCount })),
    ...taskBlocks.map((task) => buildGroup(undefined, [task], { ...common, groupCount })),
  ];
  if (isEverywhere(type)) refusePreferences(type, [block]);
  const parameterized = buildParameterized(block, type);
  refuseUnfitDispatch(block, { ...parameterized, groups });
  return {
    schema: jobSchema,
    id,
    name: block.text("name") ?? id,
    type,
    role: block.text("role") ?? block.text("namespace") ?? "default",
    priority: buildPriority(block),
    region: block.text("region") ?? "global",
    datacenters: block.texts("datacenters") ?? ["*"],
    nodePool: block.text("node_pool") ?? "default",
    meta,
    constraints: buildConstraints(block),
    ...buildPreferences(block),
    ...buildDependencies(block, { jobId: id, type }),
    ...buildPlacement(block),
    ...(schedule ? { schedule } : {}),
    ...parameterized,
    groups,
  };
}

/** A number, or what the name of a class stands for. */
function buildPriority(block: DecodedBlock): number {
  const text = block.text("priority");
  if (text === undefined) return priorityDefault;
  const named = priorityClasses.find(({ name }) => name === text);
  if (named) return named.priority;
  const number = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= priorityMax) return number;
  block.error("priority", {
    code: "job/priority",
    summary: `"${text}" is no priority`,
    hint: `write 1 to ${priorityMax}, or ${priorityClasses.map(({ name }) => name).join(", ")}`,
  });
  return priorityDefault;
}

function buildSchedule(job: DecodedBlock, type: JobType): Schedule | undefined {
  const block = job.first("periodic");
  if (!block) return undefined;
  if (type !== "batch" && type !== "sysbatch") {
    block.error(undefined, {
      code: "job/periodic-type",
      summary: `a ${type} job can't be periodic`,
      hint: 'set type = "batch" in the job',
    });
  }
  const written = ["cron", "crons", "interval"].filter((name) => block.has(name));
  if (written.length !== 1) {
    block.error(written[1], {
      code: "job/periodic-one",
      summary: "periodic needs exactly one of cron, crons and interval",
      detail: written.length === 0 ? "None is written." : `Written are ${written.join(" and ")}.`,
    });
    return undefined;
  }
  const timeZone = block.text("time_zone") ?? "UTC";
  if (!isTimeZone(timeZone)) {
    block.error("time_zone", {
      code: "job/bad-time-zone",
      summary: `"${timeZone}" is no time zone`,
      hint: 'use an IANA name such as "Europe/Berlin"',
    });
  }
  const common = {
    timeZone,
    overlap: buildOverlap(block),
    ...positive("jitterMs", block.number("jitter")),
    ...positive("pauseAfterFailures", block.number("pause_after_failures")),
    enabled: block.bool("enabled") ?? true,
  };
  const interval = block.text("interval");
  if (interval !== undefined) {
    report(block, "interval", interval, intervalProblem(interval), "job/bad-interval");
    return { kind: "interval", text: interval, ...common };
  }
  const cron = block.text("cron");
  const expressions = cron === undefined ? (block.texts("crons") ?? []) : [cron];
  const name = cron === undefined ? "crons" : "cron";
  if (expressions.length === 0) {
    block.error(name, { code: "job/bad-cron", summary: "crons holds at least one cron text" });
  }
  for (const text of expressions) report(block, name, text, cronProblem(text), "job/bad-cron");
  return { kind: "cron", expressions, ...common };
}

function buildOverlap(block: DecodedBlock): Overlap {
  const overlap = block.text("overlap");
  if (overlap === undefined) return block.bool("prohibit_overlap") ? "skip" : "allow";
  if (block.has("prohibit_overlap"))
    block.error("overlap", { code: "job/overlap", summary: "periodic has overlap or prohibit_overlap, not both" });
  return overlap as Overlap;
}

/** Nothing at all for what is 0: so it is written in one way only. */
function positive<K extends string>(name: K, value: number | undefined): { [P in K]?: number } {
  return value === undefined || value === 0 ? {} : ({ [name]: value } as { [P in K]: number });
}

/** Narrows the place to the wrong part where the value is a plain text in quotes. */
function report(block: DecodedBlock, name: string, text: string, problem: TextProblem | undefined, code: string): void {
  if (problem) block.errorWithin(name, text, problem, { code, summary: problem.message });
}
