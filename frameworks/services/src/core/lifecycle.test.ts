import { StatusReason, TaskState } from "@muster/framework-sdk";
import { expect, test } from "vitest";
import { anAgent, jobText, SmallWorld } from "./core.test.support.ts";
import { jobSummary } from "./report.ts";

const init = `task "init" {
      driver = "process"
      lifecycle {
        hook = "prestart"
      }
      config {
        command = "prepare"
      }
    }
    task "tidy" {
      driver = "process"
      lifecycle {
        hook = "poststop"
      }
      config {
        command = "tidy"
      }
    }`;

function world(): { world: SmallWorld; main: string; before: string; after: string } {
  const made = new SmallWorld(anAgent("a"));
  made.run(jobText("web", { group: init }));
  made.advance(1_000);
  const [first = "", second = "", third = ""] = made.launched;
  const names = new Map(
    [...(made.state.byTask.get(first)?.tasks.values() ?? [])].map((view) => [view.name, view.taskId]),
  );
  expect([first, second, third].sort()).toEqual([...names.values()].sort());
  return {
    world: made,
    main: [...names].find(([name]) => name !== "init" && name !== "tidy")?.[1] ?? "",
    before: names.get("init") ?? "",
    after: names.get("tidy") ?? "",
  };
}

const { TASK_STARTING, TASK_RUNNING, TASK_FINISHED, TASK_FAILED } = TaskState;
const reason = StatusReason.REASON_COMMAND_EXITED;

test("what has done its work before the start is no end of its instance, which runs with its main tasks", () => {
  const { world: w, main, before, after } = world();
  for (const taskId of [main, before, after]) w.tell(taskId, TASK_STARTING);
  w.tell(before, TASK_RUNNING);
  w.tell(before, TASK_FINISHED, { reason, exitCode: 0 });
  w.advance(1_000);
  expect(jobSummary(w.entry("web"), w.agents).running).toBe(0);
  w.tell(main, TASK_RUNNING);
  w.advance(1_000);
  expect(jobSummary(w.entry("web"), w.agents).running).toBe(1);
  expect([w.launched.length, w.killed.length]).toEqual([3, 0]);
});

test("an instance whose main task has failed is replaced once what comes after its end has ended", () => {
  const { world: w, main, before, after } = world();
  w.tell(before, TASK_FINISHED, { reason, exitCode: 0 });
  w.tell(main, TASK_RUNNING);
  w.advance(1_000);
  w.endsKilled = false;
  w.tell(main, TASK_FAILED, { reason, exitCode: 3, message: "exit code 3" });
  w.tell(after, TASK_RUNNING);
  w.advance(60_000);
  expect(w.launched).toHaveLength(3);
  w.tell(after, TASK_FINISHED, { reason, exitCode: 0 });
  w.advance(5_000);
  expect(w.launched).toHaveLength(6);
  expect(w.entry("web").restarts.get("g/0")?.lastEnd).toContain("exit code 3");
});

test("a framework that begins anew takes an instance as whole though what passed is not told any more", () => {
  const { world: w, main, after } = world();
  const launchId = w.state.byTask.get(main)?.launchId ?? "";
  const again = new SmallWorld(anAgent("a"));
  again.run(jobText("web", { group: init }));
  again.state.isReconciled = false;
  for (const [taskId, state] of [
    [main, TASK_RUNNING],
    [after, TASK_STARTING],
  ] as const)
    again.tell(taskId, state, { launchId, agentId: "a" });
  again.state.isReconciled = true;
  again.advance(1_000);
  expect(jobSummary(again.entry("web"), again.agents).running).toBe(1);
  expect(again.killed).toEqual([]);
});
