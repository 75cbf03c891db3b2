import { TaskState } from "@muster/framework-sdk";
import type { Instance } from "./model.ts";

/** An instance that has not been launched. */
export function newInstance(groupIndex: number, index: number, taskCount: number): Instance {
  return {
    groupIndex,
    index,
    phase: "waiting",
    attempt: 1,
    launch: 1,
    lostLaunches: 0,
    notBefore: 0,
    agentId: "",
    agentName: "",
    reason: "",
    unreachableAt: 0,
    tasks: newTasks(taskCount),
    inQuestion: false,
    recordedAt: 0,
  };
}

/** Tasks of which nothing was heard. */
export function newTasks(count: number): Instance["tasks"] {
  return Array.from({ length: count }, () => ({
    state: TaskState.TASK_STAGING,
    startedAt: 0,
    exitCode: undefined,
    wentWithGroup: false,
    userKill: false,
    isPreempted: false,
    pid: 0,
    restartCount: 0,
    nextTryAt: 0,
    message: "",
    isUsedUp: false,
  }));
}
