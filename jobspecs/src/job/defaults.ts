import type { JobType, MigrateStrategy, ReschedulePolicy, RestartPolicy, UpdateStrategy } from "./types.ts";

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

const isBatch = (type: JobType): boolean => type === "batch" || type === "sysbatch";

/** Without a `restart` block: Muster's. */
export function defaultRestart(type: JobType): RestartPolicy {
  if (isBatch(type)) {
    return { attempts: 2, firstDelayMs: 30 * secondMs, factor: 2, maxDelayMs: 10 * minuteMs, mode: "fail" };
  }
  return {
    firstDelayMs: secondMs,
    factor: 2,
    maxDelayMs: 300 * secondMs,
    resetAfterMs: 10 * minuteMs,
    mode: "fail",
  };
}

/** A written `restart` block: Nomad's, where an attribute is left out. */
export function writtenRestart(type: JobType): { attempts: number; intervalMs: number; delayMs: number } {
  return isBatch(type)
    ? { attempts: 3, intervalMs: 24 * hourMs, delayMs: 15 * secondMs }
    : { attempts: 2, intervalMs: 30 * minuteMs, delayMs: 15 * secondMs };
}

/** A written `reschedule` block: Nomad's, where an attribute is left out. */
export function writtenReschedule(type: JobType): ReschedulePolicy {
  return isBatch(type)
    ? {
        unlimited: false,
        attempts: 1,
        intervalMs: 24 * hourMs,
        delayMs: 5 * secondMs,
        delayFunction: "constant",
        maxDelayMs: 0,
      }
    : {
        unlimited: true,
        attempts: 0,
        intervalMs: 0,
        delayMs: 30 * secondMs,
        delayFunction: "exponential",
        maxDelayMs: hourMs,
      };
}

const updateTimes = {
  canaryCount: 0,
  healthCheck: "checks",
  minHealthyTimeMs: 10 * secondMs,
  healthyDeadlineMs: 5 * minuteMs,
  progressDeadlineMs: 10 * minuteMs,
  autoPromote: false,
  staggerMs: 30 * secondMs,
} as const;

/** What of the count an update without a number of its own leaves healthy, and starts too many. */
export const defaultSurge = { kind: "surge", minHealthyPercent: 100, surgePercent: 25 } as const;

/** Without an `update` block: Muster's. */
export const defaultUpdate: UpdateStrategy = {
  ...updateTimes,
  method: defaultSurge,
  autoRevert: true,
};

/** A written `update` block: Nomad's, where an attribute is left out. */
export const writtenUpdate: UpdateStrategy = {
  ...updateTimes,
  method: { kind: "batch", maxParallel: 1 },
  autoRevert: false,
};

/** A written `migrate` block: Nomad's, where an attribute is left out. */
export const writtenMigrate: MigrateStrategy = {
  maxParallel: 1,
  healthCheck: "checks",
  minHealthyTimeMs: 10 * secondMs,
  healthyDeadlineMs: 5 * minuteMs,
};

export const killTimeoutMsDefault = 5 * secondMs;
export const cpuMillisDefault = 100;
/** More than any agent has: `memory_max = -1`. */
export const memoryMiBUnbounded = 1_000_000_000;
export const memoryMiBDefault = 300;
