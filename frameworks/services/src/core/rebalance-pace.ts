import type { TaskGroup } from "@muster/jobspecs";

/**
 * How many instances of a group may be on their way to other agents at a time, each with its successor beside it: as many
 * as may leave an agent, or as an update replaces, or starts too many. 0: none may be there too many, so none can go.
 */
export function movesAtOnce({ migrate, update, count }: TaskGroup): number {
  if (migrate) return migrate.maxParallel;
  const { method } = update;
  if (method.kind === "batch") return method.maxParallel || count;
  return method.surgePercent === 0 ? 0 : Math.max(1, Math.floor((count * method.surgePercent) / 100));
}
