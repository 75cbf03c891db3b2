import type { TaskStatus } from "@muster/proto";
import type { Group, Task } from "./model.ts";

/** An executor that has not attached so long after its start is killed, unless its launch says otherwise. */
export const registrationTimeoutMsDefault = 60_000;
/** An executor without tasks is shut down after so long, unless its launch says otherwise. */
export const idleTimeoutMsDefault = 30_000;
/** An executor whose session broke, or whose agent was restarted, must have attached again after so long. */
export const reattachTimeoutMs = 15_000;
/** An executor that has not ended a task so long after the task's grace is killed. */
export const endTaskBoundMs = 5_000;
/** An executor whose agent is away waits for so long for the next one. */
export const recoveryTimeoutMs = 15 * 60_000;

/** What a group has to do with a custom executor. */
export interface GroupExecutor {
  /** Names it among the executors of its framework on this agent. */
  readonly id: string;
  /** Its one task is the executor; else its tasks are given to it. */
  readonly isSelf: boolean;
  readonly registrationTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** What the executor shows when it attaches; empty in groups that are given to it. */
  readonly token: string;
  /** The task that is the executor, of those that had its id one after another. */
  selfId: string;
}

/** What an executor's own task has beside other tasks. */
export interface ExecutorLife {
  /** The session by which it is attached. */
  session: number | undefined;
  /** It has attached once: from then on it may be awaited for less long. */
  hasAttached: boolean;
  /** Monotonic; it is killed then. */
  attachByMs: number | undefined;
  /** Monotonic; it is shut down then. */
  idleAtMs: number | undefined;
  /** Groups that it serves, of which some may have ended. */
  readonly groups: Set<Group>;
}

/** What a task that is given to an executor has beside other tasks. */
export interface ServedTask {
  /** The executor's own task. */
  readonly self: Task;
  /** The executor may have heard of it. */
  isGiven: boolean;
  /** The highest number of an update of the executor that was taken in. */
  sequence: number;
  /** Updates that are not durable yet, with the number that the agent gave them. */
  pending: { readonly sequence: number; readonly updateId: string }[];
}

/** What an executor says when it attaches. */
export interface Attachment {
  readonly frameworkId: string;
  readonly executorId: string;
  readonly token: string;
  readonly taskIds: readonly string[];
  readonly unacknowledged: readonly TaskStatus[];
}

/** What an executor is told. */
export type ExecutorOrder =
  | { readonly type: "attached" }
  | { readonly type: "launch"; readonly group: Group }
  | { readonly type: "kill"; readonly taskId: string; readonly graceMs: number }
  | { readonly type: "acknowledge"; readonly updateId: string }
  | { readonly type: "refuse"; readonly updateId: string; readonly refusal: ExecutorRefusal }
  | { readonly type: "message"; readonly data: Uint8Array }
  | { readonly type: "shutdown" };

export interface ExecutorRefusal {
  readonly kind: "invalid" | "not-found" | "forbidden" | "wrong-state" | "too-many" | "stale";
  /** Path of the offending field; empty if there is none. */
  readonly field: string;
  readonly message: string;
}

/** What a launch says of executors. */
export interface ExecutorWish {
  readonly id: string;
  readonly isSelf: boolean;
  readonly registrationTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

export function newExecutorLife(): ExecutorLife {
  return { session: undefined, hasAttached: false, attachByMs: undefined, idleAtMs: undefined, groups: new Set() };
}

/** Whether the group's tasks are given to an executor. */
export function isServed({ executor }: Group): boolean {
  return executor !== undefined && !executor.isSelf;
}
