import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StatusReason, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentFixture } from "./agent-fixture.test.support.ts";

const fixture = AgentFixture.use(beforeEach, afterEach);

/** The head of a program of another machine: ELF, 64 bits, big endian, s390. */
const foreignProgram = Buffer.concat([
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 22, 0, 0, 0, 1]),
  Buffer.alloc(104),
]);

function write(name: string, content: string | Buffer, mode: number): string {
  const path = join(fixture.dataFolder, name);
  writeFileSync(path, content, { mode });
  return path;
}

test("each command that can't be run ends with its own reason, and nothing of it is left", async () => {
  await fixture.agent();
  const folder = join(fixture.dataFolder, "folder");
  mkdirSync(folder);
  const commands = {
    missing: { command: "/no/such/program", message: "No such file or directory" },
    plain: { command: write("plain", "#!/bin/sh\n", 0o644), message: "Permission denied" },
    folder: { command: folder, message: "Permission denied" },
    foreign: { command: write("foreign", foreignProgram, 0o755), message: "Exec format error" },
    interpreter: { command: write("script", "#!/no/such/shell\n", 0o755), message: "No such file or directory" },
  };
  for (const [taskId, { command }] of Object.entries(commands)) fixture.master.launch({ taskId, spec: { command } });
  for (const [taskId, { command, message }] of Object.entries(commands)) {
    await fixture.master.untilState(taskId, TaskState.TASK_FAILED);
    const last = fixture.master.of(taskId).at(-1);
    expect(last?.reason).toBe(StatusReason.REASON_LAUNCH_FAILED);
    expect(last?.message).toBe(`${command} can't be started: exec: ${message} (errno ${errnos[message]})`);
    expect(fixture.master.of(taskId).map(({ state }) => state)).not.toContain(TaskState.TASK_RUNNING);
  }
});

const errnos: Readonly<Record<string, number>> = {
  "No such file or directory": 2,
  "Exec format error": 8,
  "Permission denied": 13,
};

test("a task that writes as fast as it can keeps to its log files, and its neighbour does not notice", async () => {
  await fixture.agent();
  const logPolicy = { fileBytesMax: 1_000_000, filesMax: 2 };
  fixture.master.launch({ taskId: "loud", spec: { command: "yes", arguments: ["x".repeat(1_000)], logPolicy } });
  await fixture.master.untilState("loud", TaskState.TASK_RUNNING);
  const logs = (): string[] => {
    const [group = ""] = readdirSync(join(fixture.dataFolder, "tasks"));
    const folder = join(fixture.dataFolder, "tasks", group, "0/logs");
    return readdirSync(folder).filter((name) => name.startsWith("stdout."));
  };
  const number = (): number => Math.max(...logs().map((name) => Number(name.split(".")[1])));
  await expect.poll(number, { timeout: 10_000 }).toBeGreaterThan(20);
  fixture.master.launch({ taskId: "quiet", spec: { command: "echo", arguments: ["here"] } });
  await fixture.master.untilState("quiet", TaskState.TASK_FINISHED);
  fixture.master.kill("loud", 0);
  await fixture.master.untilState("loud", TaskState.TASK_KILLED);
  const [group = ""] = readdirSync(join(fixture.dataFolder, "tasks")).sort();
  const sizes = logs().map((name) => statSync(join(fixture.dataFolder, "tasks", group, "0/logs", name)).size);
  expect(sizes.length).toBeLessThanOrEqual(2);
  for (const size of sizes) expect(size).toBeLessThanOrEqual(1_000_000);
});
