import { writtenMigrate } from "./defaults.ts";
import { Reader } from "./reader.ts";
import type { Constraint, MigrateStrategy, ReschedulePolicy, RestartPolicy, UpdateStrategy } from "./types.ts";

const countMax = 1_000_000;

export const constraintOperators = [
  "=",
  "!=",
  "<",
  "<=",
  ">",
  ">=",
  "regexp",
  "like",
  "unlike",
  "version",
  "semver",
  "set_contains",
  "set_contains_any",
  "is_set",
  "is_not_set",
  "distinct_hosts",
  "distinct_property",
  "cluster",
  "group_by",
  "equal",
] as const;

export function decodeConstraints(owner: Reader): Constraint[] {
  return owner.list("constraints", 1000, (value, path) => {
    const reader = new Reader(value, path);
    const made = decodeSides(reader);
    reader.done();
    return made;
  });
}

/** Attribute, operator and value of a constraint or an affinity. */
export function decodeSides(reader: Reader): Constraint {
  const made: Constraint = {
    attribute: reader.text("attribute"),
    operator: reader.oneOf("operator", constraintOperators),
    value: reader.text("value"),
  };
  if (["regexp", "like", "unlike"].includes(made.operator)) {
    try {
      new RegExp(made.value, "u");
    } catch {
      reader.fail("value", "must be a regular expression");
    }
  }
  if (made.operator === "distinct_property" && !/^[1-9]\d{0,5}$/.test(made.value))
    reader.fail("value", "must be a count of 1 or more");
  if (made.operator === "group_by" && !groupByForm.test(made.value))
    reader.fail("value", 'must be a count, "strict", or both');
  return made;
}

/** "", "3", "strict", "3 strict". */
export const groupByForm = /^([1-9]\d{0,5})?( ?strict)?$/;

export function decodeRestart(value: unknown, path: string): RestartPolicy {
  const reader = new Reader(value, path);
  const factor = reader.raw("factor");
  if (typeof factor !== "number" || !(factor >= 1 && factor <= 100)) reader.fail("factor", "must be 1 to 100");
  const made: RestartPolicy = {
    ...(reader.has("attempts") ? { attempts: reader.integer("attempts", 0, countMax) } : {}),
    ...(reader.has("intervalMs") ? { intervalMs: reader.duration("intervalMs") } : {}),
    firstDelayMs: reader.duration("firstDelayMs"),
    factor: factor as number,
    maxDelayMs: reader.duration("maxDelayMs"),
    ...(reader.has("resetAfterMs") ? { resetAfterMs: reader.duration("resetAfterMs") } : {}),
    mode: reader.oneOf("mode", ["fail", "delay"]),
  };
  reader.done();
  return made;
}

export function decodeReschedule(value: unknown, path: string): ReschedulePolicy {
  const reader = new Reader(value, path);
  const made: ReschedulePolicy = {
    unlimited: reader.bool("unlimited"),
    attempts: reader.integer("attempts", 0, countMax),
    intervalMs: reader.duration("intervalMs"),
    delayMs: reader.duration("delayMs"),
    delayFunction: reader.oneOf("delayFunction", ["constant", "exponential", "fibonacci"]),
    maxDelayMs: reader.duration("maxDelayMs"),
  };
  reader.done();
  return made;
}

export function decodeUpdate(value: unknown, path: string): UpdateStrategy {
  const reader = new Reader(value, path);
  const made: UpdateStrategy = {
    method: decodeMethod(reader.raw("method"), reader.at("method")),
    canaryCount: reader.integer("canaryCount", 0, countMax),
    ...(reader.has("canaryPercent") ? { canaryPercent: reader.integer("canaryPercent", 1, 100) } : {}),
    healthCheck: reader.oneOf("healthCheck", ["checks", "task_states", "manual"]),
    minHealthyTimeMs: reader.duration("minHealthyTimeMs"),
    healthyDeadlineMs: reader.duration("healthyDeadlineMs"),
    progressDeadlineMs: reader.duration("progressDeadlineMs"),
    autoRevert: reader.bool("autoRevert"),
    autoPromote: reader.bool("autoPromote"),
    staggerMs: reader.duration("staggerMs"),
  };
  reader.done();
  return made;
}

export function decodeMigrate(value: unknown, path: string): MigrateStrategy {
  const reader = new Reader(value, path);
  const made: MigrateStrategy = {
    maxParallel: reader.integer("maxParallel", 0, countMax),
    healthCheck: reader.oneOf("healthCheck", ["checks", "task_states"]),
    minHealthyTimeMs: reader.duration("minHealthyTimeMs"),
    // Jobs that were taken in before it was kept do not say.
    healthyDeadlineMs: reader.has("healthyDeadlineMs")
      ? reader.duration("healthyDeadlineMs")
      : writtenMigrate.healthyDeadlineMs,
  };
  reader.done();
  return made;
}

function decodeMethod(value: unknown, path: string): UpdateStrategy["method"] {
  const reader = new Reader(value, path);
  const kind = reader.oneOf("kind", ["batch", "surge"]);
  const made: UpdateStrategy["method"] =
    kind === "batch"
      ? { kind, maxParallel: reader.integer("maxParallel", 0, countMax) }
      : {
          kind,
          minHealthyPercent: reader.integer("minHealthyPercent", 0, 100),
          surgePercent: reader.integer("surgePercent", 0, 1000),
          ...(reader.has("isStrict") ? { isStrict: reader.bool("isStrict") } : {}),
        };
  reader.done();
  return made;
}
