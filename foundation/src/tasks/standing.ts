import { Health, type TaskRecord, TaskState } from "@muster/proto";

/**
 * How a task stands with the names that it shares with others.
 * ready: published. failing: published only if all of its name fail. waiting: its checks have not passed yet.
 * absent: not running, or on its way out; not even its canonical name.
 */
export type Standing = "ready" | "failing" | "waiting" | "absent";

/** Label of a task: how many health checks it has. */
export const checksLabel = "muster.checks";
/** Label of a task, "off": when all of its name fail, none is published. */
export const panicLabel = "muster.panic";
/** Label of a task, "true": published as soon as it runs, for peers that must find each other to become healthy. */
export const publishNotReadyLabel = "muster.publish-not-ready";
/** Label of a task: seconds that answers with it may be kept, 0 to 3600. */
export const ttlLabel = "muster.ttl";

/** Where a task stands, by its latest status and its labels alone: any two servers agree. */
export function standingOf(task: TaskRecord): Standing {
  const status = task.status;
  if (!status || status.state !== TaskState.TASK_RUNNING) return "absent";
  if (task.labels[publishNotReadyLabel] === "true") return "ready";
  if (status.health === Health.HEALTH_UNHEALTHY) return "failing";
  if (status.health === Health.HEALTH_HEALTHY) return "ready";
  return Number(task.labels[checksLabel] ?? "0") > 0 ? "waiting" : "ready";
}
