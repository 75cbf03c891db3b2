import { resources } from "@muster/foundation";
import { StatusReason, TaskState } from "@muster/proto";
import { expect, test } from "vitest";
import { CheckedTasks } from "./checked-tasks.test.support.ts";
import { nextWakeMs } from "./deadlines.ts";
import type { AgentEffect } from "./effects.ts";
import { step } from "./step.ts";

/** A task that runs, with so much of the disk. */
function aTask(diskMiB: number) {
  const tasks = new CheckedTasks();
  tasks.launch("t", "web", [], []);
  const task = [...tasks.state.tasks.values()][0];
  if (!task) throw new Error("no task");
  Object.assign(task, { info: { ...task.info, resources: resources({ diskMiB }) } });
  const uses = (usedMiB: number): void =>
    tasks.input({ type: "disks-measured", found: [{ id: task.id, usedMiB, largest: "/local/big" }] });
  return { tasks, task, uses };
}

test("a task whose files take more than its disk has failed, and its status names amounts and the largest", () => {
  const { tasks, task, uses } = aTask(100);
  uses(100);
  expect(task.kill).toBeUndefined();
  uses(101);
  tasks.end("t");
  expect(tasks.statuses.at(-1)).toMatchObject({
    state: TaskState.TASK_FAILED,
    reason: StatusReason.REASON_DISK_LIMIT,
    message: "DISK_LIMIT: its files take 101 MiB of the disk, its limit is 100 MiB; the largest is /local/big",
  });
});

test("a task with a limit is measured every 5 s, and not again before the answer", () => {
  const { tasks, task, uses } = aTask(100);
  const at = (ms: number): AgentEffect[] =>
    step(tasks.state, { type: "wake" }, { monotonicMs: ms, epochMs: 1_700_000_000_000 + ms }).filter(
      ({ type }) => type === "measure-disks",
    );
  const question = { type: "measure-disks", questions: [{ id: task.id, limitMiB: 100 }] };
  expect(at(10_000)).toEqual([question]);
  expect(at(20_000)).toEqual([]);
  uses(50);
  expect(at(20_000)).toEqual([question]);
  uses(50);
  expect(at(24_999)).toEqual([]);
  expect(at(25_000)).toEqual([question]);
});

test("a task without a limit wakes nobody, and may have any files", () => {
  const { tasks, task, uses } = aTask(0);
  uses(1_000_000);
  expect(task.kill).toBeUndefined();
  expect(nextWakeMs(tasks.state, { monotonicMs: tasks.nowMs, epochMs: 0 })).toBeUndefined();
});
