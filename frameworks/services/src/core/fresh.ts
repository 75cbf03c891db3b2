import { Health, TaskState } from "@muster/framework-sdk";
import type { Instance, JobEntry, TaskView } from "./model.ts";

/** A job of which nothing is known but what State holds. */
export function freshEntry(
  kept: Pick<
    JobEntry,
    "name" | "stateVersion" | "isStopped" | "isPurged" | "current" | "history" | "isNew" | "wipedVersion"
  >,
): JobEntry {
  return {
    ...kept,
    instances: new Map(),
    restarts: new Map(),
    waiting: new Map(),
    healthKills: new Map(),
    offersSeen: undefined,
    volumes: new Map(),
    predecessors: new Map(),
    systemIndexes: new Map(),
    progress: undefined,
    canaries: { wanted: 0, settled: 0 },
    isOverdue: false,
  };
}

/** An instance of which nothing was heard. */
export function freshInstance(
  made: Pick<
    Instance,
    "id" | "launchId" | "jobName" | "group" | "index" | "version" | "taskCount" | "agentId" | "agentName" | "launchedMs"
  >,
): Instance {
  return {
    ...made,
    tasks: new Map(),
    hasBegun: false,
    isKilling: false,
    move: undefined,
    endedBy: undefined,
    isEnding: false,
    cameBackLate: false,
    runningSinceMs: undefined,
    ranSinceMs: undefined,
    healthySinceMs: undefined,
    unreachableSinceMs: undefined,
    startedAt: 0,
  };
}

/** A task of which nothing was heard. */
export function freshTask(made: Pick<TaskView, "taskId" | "name" | "hasChecks" | "isPassing">): TaskView {
  return {
    ...made,
    state: TaskState.TASK_STAGING,
    health: Health.HEALTH_UNSPECIFIED,
    message: "",
    exitCode: undefined,
    restartCount: 0,
    nextTryAt: 0,
    pid: 0,
    ips: [],
    ports: [],
    killAsked: undefined,
  };
}
