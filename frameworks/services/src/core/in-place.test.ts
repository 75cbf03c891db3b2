import { StatusReason, TaskState } from "@muster/framework-sdk";
import { expect, test } from "vitest";
import { anAgent, jobText, SmallWorld } from "./core.test.support.ts";
import { jobInstances, jobSummary } from "./report.ts";

test("while its agent starts it again, an instance does not run, and says when it will", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { group: 'restart {\n attempts = 3\n interval = "10m"\n delay = "5s"\n }' }));
  world.settle();
  const taskId = "web.g.0.1-1";
  const reason = StatusReason.REASON_RESTARTING;
  world.tell(taskId, TaskState.TASK_STARTING, { reason, message: "exit code 3", restartCount: 1, nextTryAt: 5_000 });
  const [waiting] = jobInstances(world.entry("web"), world.agents);
  expect(waiting).toMatchObject({ state: TaskState.TASK_STARTING, restartCount: 1, nextTryAt: 5_000, taskId });
  expect(jobSummary(world.entry("web"), world.agents).running).toBe(0);
  world.tell(taskId, TaskState.TASK_RUNNING, { restartCount: 1 });
  world.advance(1_000);
  const [running] = jobInstances(world.entry("web"), world.agents);
  expect(running).toMatchObject({ state: TaskState.TASK_RUNNING, restartCount: 1, nextTryAt: 0 });
  expect(world.launched).toHaveLength(1);
});

test("an instance whose restarts are used up is placed anew by its reschedule block", () => {
  const world = new SmallWorld(anAgent("a"));
  const policy = 'restart {\n attempts = 2\n }\n reschedule {\n delay = "20s"\n delay_function = "constant"\n }';
  world.run(jobText("web", { group: policy }));
  world.settle();
  world.fail("web.g.0.1-1");
  world.advance(19_000);
  expect(world.launched).toHaveLength(1);
  world.advance(2_000);
  expect(world.launched).toHaveLength(2);
});
