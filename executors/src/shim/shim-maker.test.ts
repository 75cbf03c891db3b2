import { readdirSync, readFileSync } from "node:fs";
import { TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentFixture } from "../agent/agent-fixture.test.support.ts";
import { type ShimEnd, ShimMaker } from "./shim-maker.ts";

const fixture = AgentFixture.use(beforeEach, afterEach);

function makersOf(dataFolder: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0");
        return words[2] === "-" && words[4] === dataFolder;
      } catch {
        return false;
      }
    });
}

function shell(script: string) {
  return { command: "sh", arguments: ["-c", script] };
}

test("when the maker of shims is killed, tasks run on, are heard of, and new ones start", async () => {
  await fixture.agent();
  fixture.master.launch(
    { taskId: "ends", spec: shell("while ! [ -e go ]; do sleep 0.05; done; exit 3") },
    { taskId: "killed", spec: { command: "sleep", arguments: ["1000"] } },
  );
  for (const taskId of ["ends", "killed"]) await fixture.master.untilState(taskId, TaskState.TASK_RUNNING);
  const [maker, ...others] = makersOf(fixture.dataFolder);
  expect(others).toEqual([]);
  process.kill(maker as number, "SIGKILL");
  fixture.master.launch({ taskId: "new", spec: { command: "true" } });
  await fixture.master.untilState("new", TaskState.TASK_FINISHED);
  fixture.master.kill("killed", 0);
  await fixture.master.untilState("killed", TaskState.TASK_KILLED);
  expect(fixture.master.of("ends").at(-1)?.state).toBe(TaskState.TASK_RUNNING);
  expect(makersOf(fixture.dataFolder)).toHaveLength(1);
});

test("with the agent its maker of shims ends", async () => {
  const agent = await fixture.agent();
  fixture.master.launch({ taskId: "runs", spec: { command: "sleep", arguments: ["1000"] } });
  await fixture.master.untilState("runs", TaskState.TASK_RUNNING);
  expect(makersOf(fixture.dataFolder)).toHaveLength(1);
  await fixture.stop(agent, "leave");
  await expect.poll(() => makersOf(fixture.dataFolder)).toEqual([]);
});

test("without perl each shim is told to have failed, and why", async () => {
  const maker = new ShimMaker("/no/such/perl", fixture.dataFolder);
  const ends = await Promise.all(
    ["/a", "/b"].map((folder) => new Promise<ShimEnd>((resolve) => maker.make(folder, resolve))),
  );
  for (const end of ends) expect(end).toEqual({ type: "failed", message: "spawn /no/such/perl ENOENT" });
  maker.close();
});
