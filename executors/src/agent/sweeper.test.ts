import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { silentLog, systemClock } from "@muster/foundation";
import { TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hostWorld } from "../host-world.ts";
import { isAlive } from "../shim/processes.ts";
import type { ProcStarted } from "../world/proc.ts";
import { AgentFixture } from "./agent-fixture.test.support.ts";

const fixture = AgentFixture.use(beforeEach, afterEach);

/** A command under a shim in the agent's folder of which that agent has no record, as a crash might leave one behind. */
function ghost(id: string): Promise<ProcStarted> {
  const { proc } = hostWorld({ dataFolder: fixture.dataFolder, clock: systemClock, log: silentLog });
  return new Promise((resolve, reject) => {
    const other = (): void => reject(new Error("it did not start"));
    const started = (_id: string, facts: ProcStarted): void => {
      proc.stop();
      resolve(facts);
    };
    const known = new Set(readdirSync(join(fixture.dataFolder, "tasks")));
    proc.start({ started, memoryKilled: other, failed: other, exited: other, lost: other, absent: other }, known);
    proc.spawn({
      id,
      command: "sh",
      // What it starts leaves its session and its parents.
      arguments: ["-c", "setsid sleep 300 & exec sleep 300"],
      environment: {
        PATH: process.env["PATH"] ?? "",
        MUSTER_TASK_DIR: join(fixture.dataFolder, "tasks/ghost-1/0/work/local"),
      },
      user: "",
      logFileBytesMax: 1_000,
      logFilesMax: 1,
      network: undefined,
    });
  });
}

test("what no task owns is ended and deleted while the agent runs, and its own tasks are left alone", async () => {
  await fixture.agent({ sweepMs: 1_000 });
  fixture.master.launch({ taskId: "own", spec: { command: "sleep", arguments: ["300"] } });
  await fixture.master.untilState("own", TaskState.TASK_RUNNING);
  // What comes right after a look is there whole at the next one.
  const marker = join(fixture.dataFolder, "tasks/marker-1");
  mkdirSync(marker);
  await expect.poll(() => existsSync(marker), { timeout: 5_000, interval: 10 }).toBe(false);
  const { pid, startTicks, shimPid, shimStartTicks } = await ghost("ghost-1.0");
  const isGone = (): boolean => !isAlive(pid, startTicks) && !isAlive(shimPid, shimStartTicks);
  await expect.poll(isGone, { timeout: 5_000 }).toBe(true);
  await expect.poll(() => existsSync(join(fixture.dataFolder, "tasks/ghost-1")), { timeout: 5_000 }).toBe(false);
  const events = (): string[] =>
    readdirSync(join(fixture.dataFolder, "events")).filter((name) => name.startsWith("ghost"));
  await expect.poll(events, { timeout: 5_000 }).toEqual([]);
  expect(fixture.master.of("own").at(-1)?.state).toBe(TaskState.TASK_RUNNING);
  expect(existsSync(`/proc/${fixture.master.of("own").at(-1)?.container?.pid}`)).toBe(true);
});
