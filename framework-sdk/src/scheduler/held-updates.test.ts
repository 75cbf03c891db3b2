import { emptyMessage } from "@muster/foundation";
import { TaskState, type TaskStatus } from "@muster/proto";
import { expect, test } from "vitest";
import { HeldUpdates } from "./held-updates.ts";

const told = (updateId: string, state: TaskState = TaskState.TASK_FINISHED): TaskStatus => ({
  ...emptyMessage("TaskStatus"),
  taskId: "t",
  launchId: "l",
  state,
  updateId,
});

test("an update that was first told as an answer is not acknowledged before the answer is durable", () => {
  const held = new HeldUpdates();
  held.hold(told(""));
  expect(held.addRepetition(told("u-3"))).toBe(true);
  expect([...held.release(told(""))].map(({ updateId }) => updateId)).toEqual(["u-3"]);
  expect(held.addRepetition(told("u-3"))).toBe(false);
});

test("an update that is sent again while it is held is acknowledged once", () => {
  const held = new HeldUpdates();
  held.hold(told("u-1"));
  expect(held.addRepetition(told("u-1"))).toBe(true);
  expect([...held.release(told("u-1"))]).toHaveLength(1);
  expect([...held.release(told("u-1"))]).toHaveLength(0);
});

test("other news of the task do not wait", () => {
  const held = new HeldUpdates();
  held.hold(told("u-1", TaskState.TASK_RUNNING));
  expect(held.addRepetition(told("u-2"))).toBe(false);
});
