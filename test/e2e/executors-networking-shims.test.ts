import { readFileSync } from "node:fs";
import { TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";

const fixture = AgentFixture.use(beforeEach, afterEach);
const shims = 200;
const privateKiBMax = 1_024;

/** Memory of a process that it shares with none. */
function privateKiB(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return [...text.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB/gm)].reduce((sum, [, kib]) => sum + Number(kib), 0);
}

/** The shim of a task is the parent of its main process. */
function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

test("case 64: the shims of two hundred idle tasks have each less than 1 MiB to themselves", async () => {
  await fixture.agent();
  const ids = Array.from({ length: shims }, (_, index) => `idle-${index}`);
  const spec = { command: "sleep", arguments: ["1000"] };
  fixture.master.launch(...ids.map((taskId) => ({ taskId, spec })));
  const pidOf = (taskId: string): number => fixture.master.of(taskId).at(-1)?.container?.pid ?? 0;
  await fixture.master.until(
    () => ids.every((id) => fixture.master.of(id).at(-1)?.state === TaskState.TASK_RUNNING),
    "tasks that run",
    60_000,
  );
  const parents = ids.map((id) => parentOf(pidOf(id)));
  expect(new Set(parents).size).toBe(shims);
  expect(parents).not.toContain(process.pid);
  expect(Math.max(...parents.map(privateKiB))).toBeLessThan(privateKiBMax);
});
