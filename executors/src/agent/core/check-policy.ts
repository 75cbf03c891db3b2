import type { HealthCheck } from "@muster/proto";

/** Until a check has passed for the first time it is made more often than its interval says. */
export const eagerDelayMsFirst = 250;
export const eagerDelayFactor = 1.5;

const defaults = { intervalMs: 10_000, timeoutMs: 5_000, failuresMax: 3, graceMs: 300_000 } as const;

/** A check's numbers, with what it leaves open filled in. */
export function checkPolicy(check: HealthCheck): {
  intervalMs: number;
  timeoutMs: number;
  failuresMax: number;
  graceMs: number;
} {
  return {
    intervalMs: check.intervalMs || defaults.intervalMs,
    timeoutMs: check.timeoutMs || defaults.timeoutMs,
    failuresMax: check.failuresMax || defaults.failuresMax,
    graceMs: check.graceMs ?? defaults.graceMs,
  };
}
