import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentFixture } from "./agent-fixture.test.support.ts";

const fixture = AgentFixture.use(beforeEach, afterEach);
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** The compiled agent in a process of its own, as an operator would run it. */
const program = `
import { grpcTransport, silentLog as log, systemClock as clock, systemRandom as random } from "@muster/foundation";
import { createAgent, fingerprintHost, hostWorld } from "@muster/executors";
const [dataFolder, master] = process.argv.slice(1);
const world = hostWorld({ dataFolder, clock, log });
fingerprintHost({ dataFolder, ip: "127.0.0.1" }, ({ host }) => {
  const config = { name: "own", address: "127.0.0.1:5051", masters: [master], dataFolder, version: "0.1.0", host, diskFreeFractionMin: 0 };
  createAgent({ clock, random, transport: grpcTransport({}), log, ...world }, config).start();
});
`;

async function startProcess(): Promise<ChildProcess> {
  const { registrations } = fixture.master;
  const options = ["--input-type=module", "-e", program, fixture.dataFolder, fixture.master.address];
  const child = spawn(process.execPath, options, { stdio: "inherit", cwd: new URL("../..", import.meta.url) });
  children.push(child);
  await fixture.master.until(() => fixture.master.registrations > registrations, "registration");
  return child;
}

test("ten tasks go on when their agent is killed with signal 9, and the next agent tells what became of them", async () => {
  const first = await startProcess();
  const names = Array.from({ length: 10 }, (_, i) => `task-${i}`);
  const script = (i: number): string => (i < 5 ? `sleep 0.5; exit ${i + 1}` : "sleep 300");
  fixture.master.launch(
    ...names.map((taskId, i) => ({ taskId, spec: { command: "sh", arguments: ["-c", script(i)] } })),
  );
  for (const name of names) await fixture.master.untilState(name, TaskState.TASK_RUNNING);
  const pids = new Map(names.map((name) => [name, fixture.master.of(name).at(-1)?.container?.pid ?? 0]));
  first.kill("SIGKILL");
  await new Promise((resolve) => first.once("exit", resolve));
  await new Promise((resolve) => setTimeout(resolve, 800));
  fixture.master.reports.length = 0;
  await startProcess();
  for (const name of names.slice(0, 5)) await fixture.master.untilState(name, TaskState.TASK_FAILED);
  expect(names.slice(0, 5).map((name) => fixture.master.of(name).at(-1)?.exitCode)).toEqual([1, 2, 3, 4, 5]);
  for (const name of names.slice(5)) {
    const report = fixture.master.reports.find(({ task }) => task?.taskId === name);
    expect(report?.status).toMatchObject({ state: TaskState.TASK_RUNNING, container: { pid: pids.get(name) } });
    expect(existsSync(`/proc/${pids.get(name)}`)).toBe(true);
    fixture.master.kill(name, 0);
    await fixture.master.untilState(name, TaskState.TASK_KILLED);
  }
});

test("everything of a cluster is found by its folder: shims by their command line, tasks by their environment", async () => {
  await fixture.agent();
  fixture.master.launch({ taskId: "a", spec: { command: "sleep", arguments: ["300"] } });
  await fixture.master.untilState("a", TaskState.TASK_RUNNING);
  const pid = fixture.master.of("a").at(-1)?.container?.pid ?? 0;
  expect(readFileSync(`/proc/${pid}/environ`, "latin1")).toContain(fixture.dataFolder);
  const shim = /\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "latin1"))?.[1];
  expect(readFileSync(`/proc/${shim}/cmdline`, "latin1")).toContain(fixture.dataFolder);
});
