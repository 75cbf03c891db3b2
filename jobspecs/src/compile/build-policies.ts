import { didYouMean } from "../diagnostics/suggest.ts";
import { groupByForm } from "../job/decode-policies.ts";
import {
  defaultRestart,
  defaultSurge,
  defaultUpdate,
  writtenMigrate,
  writtenReschedule,
  writtenRestart,
  writtenUpdate,
} from "../job/defaults.ts";
import type {
  Constraint,
  ConstraintOperator,
  JobType,
  MigrateStrategy,
  ReschedulePolicy,
  RestartPolicy,
  UpdateStrategy,
} from "../job/types.ts";
import type { DecodedBlock } from "./decoded.ts";

export function buildRestart(block: DecodedBlock | undefined, type: JobType): RestartPolicy {
  if (!block) return defaultRestart(type);
  const defaults = writtenRestart(type);
  const delayMs = block.number("delay") ?? defaults.delayMs;
  return {
    attempts: block.number("attempts") ?? defaults.attempts,
    intervalMs: block.number("interval") ?? defaults.intervalMs,
    firstDelayMs: delayMs,
    factor: 1,
    maxDelayMs: delayMs,
    mode: (block.text("mode") ?? "fail") as RestartPolicy["mode"],
  };
}

export function buildReschedule(block: DecodedBlock | undefined, type: JobType): ReschedulePolicy | undefined {
  if (!block) return undefined;
  const defaults = writtenReschedule(type);
  return {
    unlimited: block.bool("unlimited") ?? (block.has("attempts") ? false : defaults.unlimited),
    attempts: block.number("attempts") ?? defaults.attempts,
    intervalMs: block.number("interval") ?? defaults.intervalMs,
    delayMs: block.number("delay") ?? defaults.delayMs,
    delayFunction: (block.text("delay_function") ?? defaults.delayFunction) as ReschedulePolicy["delayFunction"],
    maxDelayMs: block.number("max_delay") ?? defaults.maxDelayMs,
  };
}

/** A group's block over the job's, attribute by attribute. */
export function buildUpdate(
  job: DecodedBlock | undefined,
  group: DecodedBlock | undefined,
  type: JobType,
): UpdateStrategy {
  if (!job && !group) return defaultUpdate;
  const number = (name: string): number | undefined => group?.number(name) ?? job?.number(name);
  const bool = (name: string): boolean | undefined => group?.bool(name) ?? job?.bool(name);
  const health = group?.text("health_check") ?? job?.text("health_check");
  const strategy: UpdateStrategy = {
    method: buildMethod(group ?? job, number),
    ...buildCanaries(group?.has("canary") ? group : job, type),
    healthCheck: (health ?? writtenUpdate.healthCheck) as UpdateStrategy["healthCheck"],
    minHealthyTimeMs: number("min_healthy_time") ?? writtenUpdate.minHealthyTimeMs,
    healthyDeadlineMs: number("healthy_deadline") ?? writtenUpdate.healthyDeadlineMs,
    progressDeadlineMs: number("progress_deadline") ?? writtenUpdate.progressDeadlineMs,
    autoRevert: bool("auto_revert") ?? writtenUpdate.autoRevert,
    autoPromote: bool("auto_promote") ?? writtenUpdate.autoPromote,
    staggerMs: number("stagger") ?? writtenUpdate.staggerMs,
  };
  refuseTimes(group ?? job, strategy);
  return strategy;
}

/** A number of instances, or of a system job per cent of its agents. */
function buildCanaries(
  block: DecodedBlock | undefined,
  type: JobType,
): Pick<UpdateStrategy, "canaryCount" | "canaryPercent"> {
  const written = block?.number("canary") ?? 0;
  if (type !== "system") {
    if (type === "sysbatch" && written > 0)
      block?.error("canary", { code: "job/canary", summary: "a sysbatch job has no canaries: its runs have an end" });
    return { canaryCount: written };
  }
  if (written > 100)
    block?.error("canary", {
      code: "job/canary",
      summary: `canary = ${written}: of a system job it is per cent of the agents, 0 to 100`,
    });
  return { canaryCount: 0, ...(written > 0 ? { canaryPercent: written } : {}) };
}

/** A group's block over the job's; undefined: none is written. */
export function buildMigrate(
  job: DecodedBlock | undefined,
  group: DecodedBlock | undefined,
  type: JobType,
): MigrateStrategy | undefined {
  if (!job && !group) return undefined;
  refuseMigrate(job, type);
  refuseMigrate(group, type);
  const number = (name: string): number | undefined => group?.number(name) ?? job?.number(name);
  const health = group?.text("health_check") ?? job?.text("health_check");
  const strategy: MigrateStrategy = {
    maxParallel: number("max_parallel") ?? writtenMigrate.maxParallel,
    healthCheck: (health ?? writtenMigrate.healthCheck) as MigrateStrategy["healthCheck"],
    minHealthyTimeMs: number("min_healthy_time") ?? writtenMigrate.minHealthyTimeMs,
    healthyDeadlineMs: number("healthy_deadline") ?? writtenMigrate.healthyDeadlineMs,
  };
  refuseLateHealth(group ?? job, strategy);
  return strategy;
}

/** Runs are not moved, but may be preempted: how many at once is all that can be said of them. */
function refuseMigrate(block: DecodedBlock | undefined, type: JobType): void {
  if (type === "system")
    block?.error(undefined, {
      code: "job/migrate",
      summary: "a system job has no migrate block",
      hint: "its instances are not moved to another agent; its update block says how many may be missing",
    });
  if (type !== "batch" && type !== "sysbatch") return;
  for (const name of ["health_check", "min_healthy_time", "healthy_deadline"])
    if (block?.has(name))
      block.error(name, {
        code: "job/migrate",
        summary: `runs of a ${type} job are not moved to another agent: "${name}" has no meaning`,
        hint: "leave it out: max_parallel alone counts, as how many may be missing for having been preempted",
      });
}

/** Steps of so many, or, beyond Nomad, percentages of the count. */
function buildMethod(
  block: DecodedBlock | undefined,
  number: (name: string) => number | undefined,
): UpdateStrategy["method"] {
  const maxParallel = number("max_parallel");
  const minHealthy = number("min_healthy_percent");
  const surge = number("surge_percent");
  if (minHealthy === undefined && surge === undefined) return { kind: "batch", maxParallel: maxParallel ?? 1 };
  const refuse = (name: string, summary: string): void => block?.error(name, { code: "job/update-method", summary });
  const { minHealthyPercent, surgePercent } = defaultSurge;
  const method = {
    kind: "surge",
    minHealthyPercent: minHealthy ?? minHealthyPercent,
    surgePercent: surge ?? surgePercent,
    ...(minHealthy === undefined ? {} : { isStrict: true }),
  } as const;
  if (maxParallel !== undefined) refuse("max_parallel", "an update has steps of max_parallel or percentages, not both");
  if (method.minHealthyPercent > 100) refuse("min_healthy_percent", "min_healthy_percent must be at most 100");
  if (method.surgePercent > 1_000) refuse("surge_percent", "surge_percent must be at most 1000");
  if (method.minHealthyPercent === 100 && method.surgePercent === 0)
    refuse("surge_percent", "an update that may neither stop an instance nor start one too many can't go on");
  return method;
}

function refuseLateHealth(
  block: DecodedBlock | undefined,
  { minHealthyTimeMs, healthyDeadlineMs }: Pick<UpdateStrategy, "minHealthyTimeMs" | "healthyDeadlineMs">,
): void {
  if (minHealthyTimeMs < healthyDeadlineMs) return;
  block?.error("min_healthy_time", {
    code: "job/update-times",
    summary: "min_healthy_time must be shorter than healthy_deadline",
  });
}

function refuseTimes(block: DecodedBlock | undefined, update: UpdateStrategy): void {
  refuseLateHealth(block, update);
  if (update.progressDeadlineMs > 0 && update.healthyDeadlineMs >= update.progressDeadlineMs) {
    block?.error("healthy_deadline", {
      code: "job/update-times",
      summary: "healthy_deadline must be shorter than progress_deadline",
    });
  }
}

/** Every way to write an operator. */
const operators: Readonly<Record<string, ConstraintOperator>> = {
  "=": "=",
  "==": "=",
  is: "=",
  "!=": "!=",
  not: "!=",
  "<": "<",
  "<=": "<=",
  ">": ">",
  ">=": ">=",
  regexp: "regexp",
  like: "like",
  unlike: "unlike",
  version: "version",
  semver: "semver",
  set_contains: "set_contains",
  set_contains_all: "set_contains",
  set_contains_any: "set_contains_any",
  is_set: "is_set",
  is_not_set: "is_not_set",
  distinct_hosts: "distinct_hosts",
  distinct_property: "distinct_property",
  unique: "distinct_property",
  max_per: "distinct_property",
  cluster: "cluster",
  group_by: "group_by",
  // As Marathon writes them. Its IS compares numbers by their value, Nomad's is compares texts.
  IS: "equal",
  LIKE: "like",
  UNLIKE: "unlike",
  UNIQUE: "distinct_property",
  MAX_PER: "distinct_property",
  CLUSTER: "cluster",
  GROUP_BY: "group_by",
};

/** Operators that Nomad does not have are written out. */
const longOnly: ReadonlySet<string> = new Set([
  "is",
  "not",
  "like",
  "unlike",
  "unique",
  "max_per",
  "cluster",
  "group_by",
]);
const shortForms = Object.keys(operators).filter((name) => /^[a-z]/.test(name) && !longOnly.has(name));

export function buildConstraints(block: DecodedBlock): Constraint[] {
  return block.all("constraint").flatMap((constraint) => buildConstraint(constraint) ?? []);
}

/** Attribute, operator and value of a constraint or an affinity; undefined: it says nothing, or is wrong. */
export function buildConstraint(block: DecodedBlock): Constraint | undefined {
  const written = shortForms.filter((name) => block.has(name));
  if (written.length > 1 || (written.length === 1 && block.has("operator"))) {
    block.error(written[1] ?? "operator", {
      code: "job/constraint",
      summary: "a constraint has one operator",
      hint: "write one constraint block each",
    });
    return undefined;
  }
  const name = written[0] ?? block.text("operator") ?? "=";
  const operator = Object.hasOwn(operators, name) ? operators[name] : undefined;
  if (!operator) {
    block.error("operator", {
      code: "job/constraint",
      summary: `no operator "${name}"`,
      detail: `Operators are ${Object.keys(operators).join(", ")}.`,
      hint: didYouMean(name, Object.keys(operators)),
    });
    return undefined;
  }
  // `distinct_hosts = false` and the like say nothing.
  if (written[0] !== undefined && block.bool(written[0]) === false) return undefined;
  const short = written[0] === undefined ? undefined : block.text(written[0]);
  const constraint = complete(operator, block.text("attribute"), block.text("value"), short);
  refuseIncomplete(block, constraint);
  return constraint;
}

function complete(
  operator: ConstraintOperator,
  attribute: string | undefined,
  value: string | undefined,
  short: string | undefined,
): Constraint {
  switch (operator) {
    case "distinct_hosts":
      return { attribute: "", operator, value: "true" };
    case "distinct_property":
      return { attribute: short ?? attribute ?? "", operator, value: value ?? "1" };
    case "is_set":
    case "is_not_set":
      return { attribute: attribute ?? "", operator, value: "" };
    default:
      return { attribute: attribute ?? "", operator, value: short ?? value ?? "" };
  }
}

function refuseIncomplete(block: DecodedBlock, constraint: Constraint): void {
  const refuse = (name: string, summary: string): void => block.error(name, { code: "job/constraint", summary });
  if (constraint.attribute === "" && constraint.operator !== "distinct_hosts") {
    refuse("attribute", `a constraint with "${constraint.operator}" needs an attribute`);
  }
  if (["regexp", "like", "unlike"].includes(constraint.operator)) {
    try {
      new RegExp(constraint.value, "u");
    } catch {
      refuse(block.has("regexp") ? "regexp" : "value", "the value is no regular expression");
    }
  }
  if (constraint.operator === "group_by" && !groupByForm.test(constraint.value)) {
    refuse("value", 'the value of group_by is a count, "strict", or both');
  }
  if (constraint.operator === "distinct_property" && !/^[1-9]\d{0,5}$/.test(constraint.value)) {
    refuse("value", "the value of distinct_property is a count of 1 or more");
  }
}
