import { emptyMessage } from "@muster/foundation";
import { Health, StatusReason, type TaskRecord, TaskState } from "@muster/proto";
import { expect, test } from "vitest";
import { selectTasks, taskRow } from "./task-rows.ts";

function aTask(
  taskId: string,
  status: Partial<NonNullable<TaskRecord["status"]>> = {},
  more: Partial<TaskRecord> = {},
): TaskRecord {
  return {
    ...emptyMessage("TaskRecord"),
    taskId,
    name: taskId.split(".")[0] ?? "",
    agentName: "a1",
    frameworkName: "services",
    status: { ...emptyMessage("TaskStatus"), state: TaskState.TASK_RUNNING, health: Health.HEALTH_HEALTHY, ...status },
    ...more,
  };
}
const idsOf = (records: TaskRecord[], filter = "", show: "all" | "live" | "ended" = "all"): string[] =>
  selectTasks(records, filter, show).map(({ record }) => record.taskId);

test("the living come first in order of their numbers, then the ended, latest first", () => {
  const ended = { state: TaskState.TASK_FINISHED };
  const records = [
    aTask("x.1", { ...ended, at: 1 }),
    aTask("web.10"),
    aTask("x.2", { ...ended, at: 2 }),
    aTask("web.2"),
  ];
  expect(idsOf(records)).toEqual(["web.2", "web.10", "x.2", "x.1"]);
  expect(idsOf(records, "", "live")).toEqual(["web.2", "web.10"]);
  expect(idsOf(records, "", "ended")).toEqual(["x.2", "x.1"]);
});

test("every word of a filter must be found, in any field or in the one it names", () => {
  const records = [
    aTask("web.1", {}, { agentName: "a2" }),
    aTask("web.2", { health: Health.HEALTH_UNHEALTHY }),
    aTask("api.1", { state: TaskState.TASK_FAILED, message: "disk full" }, { role: "web" }),
  ];
  expect(idsOf(records, "WEB a2")).toEqual(["web.1"]);
  expect(idsOf(records, "name:web")).toEqual(["web.1", "web.2"]);
  expect(idsOf(records, "health:healthy name:web")).toEqual(["web.1"]);
  expect(idsOf(records, "state:failed")).toEqual(["api.1"]);
  expect(idsOf(records, "full")).toEqual(["api.1"]);
  expect(idsOf(records, "name:we")).toEqual(["web.1", "web.2"]);
  expect(idsOf(records, "name=we")).toEqual([]);
  expect(idsOf(records, "name=web agent=A2")).toEqual(["web.1"]);
  expect(idsOf(records, "http://nowhere")).toEqual([]);
});

test("a row says why its task ended", () => {
  const failed = { state: TaskState.TASK_FAILED, reason: StatusReason.REASON_COMMAND_EXITED, exitCode: 7 };
  expect(taskRow(aTask("a.1", failed)).why).toBe("command exited · exit code 7");
  const killed = { state: TaskState.TASK_FAILED, reason: StatusReason.REASON_OUT_OF_MEMORY, signal: "SIGKILL" };
  expect(taskRow(aTask("a.1", killed)).why).toBe("out of memory · SIGKILL");
});

test("every state, health and reason of the contract has words", () => {
  for (const state of Object.values(TaskState)) {
    const { word } = taskRow(aTask("a.1", { state })).state;
    expect(word === "unknown").toBe(state === TaskState.TASK_STATE_UNSPECIFIED || state === TaskState.TASK_UNKNOWN);
  }
  const silent: number[] = [
    StatusReason.STATUS_REASON_UNSPECIFIED,
    StatusReason.REASON_HEALTH_CHANGED,
    StatusReason.REASON_RECONCILIATION,
  ];
  for (const reason of Object.values(StatusReason)) {
    expect(taskRow(aTask("a.1", { reason })).why === "", String(reason)).toBe(silent.includes(reason));
  }
});
