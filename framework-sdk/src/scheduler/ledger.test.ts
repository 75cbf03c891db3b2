import { emptyMessage } from "@muster/foundation";
import { Health, TaskState, type TaskStatus } from "@muster/proto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { endedTasksMax, TaskLedger } from "./ledger.ts";

const status = (fields: Partial<TaskStatus>): TaskStatus => ({
  ...emptyMessage("TaskStatus"),
  taskId: "t",
  launchId: "l",
  agentId: "a",
  ...fields,
});
const { TASK_STAGING, TASK_RUNNING, TASK_FINISHED, TASK_UNREACHABLE, TASK_UNKNOWN, TASK_GONE } = TaskState;

test("a status that is sent again is known", () => {
  const ledger = new TaskLedger();
  ledger.launched("t", "l", "a");
  const running = status({ state: TASK_RUNNING, sequence: 2, updateId: "u" });
  expect([ledger.judge(running), ledger.judge(running)]).toEqual(["news", "known"]);
});

test("a task of an earlier process is news at first", () => {
  const ledger = new TaskLedger();
  expect(ledger.judge(status({ state: TASK_RUNNING }))).toBe("news");
  expect(ledger.liveCount).toBe(1);
});

test("an answer that says nothing new is known, one that does is news", () => {
  const ledger = new TaskLedger();
  ledger.judge(status({ state: TASK_RUNNING, sequence: 1 }));
  expect(ledger.judge(status({ state: TASK_RUNNING }))).toBe("known");
  expect(ledger.judge(status({ state: TASK_RUNNING, health: Health.HEALTH_HEALTHY }))).toBe("news");
  expect(ledger.judge(status({ state: TASK_UNREACHABLE, launchId: "" }))).toBe("news");
});

test("after its end a task's late statuses are known, and its end told again too", () => {
  const ledger = new TaskLedger();
  ledger.judge(status({ state: TASK_RUNNING, sequence: 1 }));
  expect(ledger.judge(status({ state: TASK_FINISHED }))).toBe("news");
  expect(ledger.judge(status({ state: TASK_RUNNING, sequence: 2 }))).toBe("known");
  expect(ledger.judge(status({ state: TASK_FINISHED, sequence: 3 }))).toBe("known");
  expect(ledger.judge(status({ state: TASK_GONE, launchId: "" }))).toBe("known");
  expect(ledger.liveCount).toBe(0);
});

test("a task id that lives under a new launch begins anew", () => {
  const ledger = new TaskLedger();
  ledger.judge(status({ state: TASK_RUNNING, sequence: 7 }));
  expect(ledger.judge(status({ state: TASK_RUNNING, sequence: 1, launchId: "l2" }))).toBe("news");
  expect(ledger.judge(status({ state: TASK_FINISHED, sequence: 2, launchId: "l2" }))).toBe("news");
});

test("a launch that nobody knows has ended", () => {
  const ledger = new TaskLedger();
  ledger.launched("t", "l", "a");
  expect(ledger.judge(status({ state: TASK_UNKNOWN, launchId: "" }))).toBe("news");
  expect(ledger.isLive("t")).toBe(false);
});

test("what is remembered of ended tasks is bounded", () => {
  const ledger = new TaskLedger();
  const end = (taskId: string) => ledger.judge(status({ taskId, state: TASK_FINISHED, sequence: 1 }));
  for (let i = 0; i < 2 * endedTasksMax; i++) end(`t${i}`);
  expect(end(`t${endedTasksMax}`)).toBe("known");
  expect(end("t0")).toBe("news");
});

test("however often and in whatever order an agent repeats itself, each update is news at most once", () => {
  const story = [TASK_STAGING, TaskState.TASK_STARTING, TASK_RUNNING, TASK_FINISHED].map((state, index) =>
    status({ state, sequence: index + 1, updateId: `u${index}` }),
  );
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 30 }), (order) => {
      const ledger = new TaskLedger();
      ledger.launched("t", "l", "a");
      const news = order.filter((index) => ledger.judge(story[index] as TaskStatus) === "news");
      expect(news).toEqual([...new Set(news)]);
      expect(news).toEqual([...news].sort());
    }),
  );
});
