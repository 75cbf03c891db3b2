import type { MigrateStrategy, TaskGroup } from "@muster/jobspecs";

/**
 * How long an instance that an update or a migration waits for has to prove itself. Where no block is written as in Nomad
 * its checks have their time first: what they let live for five minutes of grace is not ended after five minutes.
 */
export function healthyDeadlineMs(
  { update, services, tasks }: TaskGroup,
  migrate: MigrateStrategy | undefined,
): number {
  if (migrate) return migrate.healthyDeadlineMs;
  if (update.method.kind === "batch") return update.healthyDeadlineMs;
  const checks = [services, ...tasks.map((task) => task.services)].flat().flatMap((service) => service.checks);
  const ownMs = checks.flatMap(({ checkRestart, intervalMs }) =>
    checkRestart && checkRestart.limit > 0 ? checkRestart.graceMs + (checkRestart.limit + 1) * intervalMs : [],
  );
  return Math.max(update.healthyDeadlineMs, ...ownMs);
}
