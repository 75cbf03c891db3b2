import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { isTerminal } from "@muster/foundation";
import { TaskState, type TaskStatus } from "@muster/proto";
import { afterEach, beforeEach, expect } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { containersHere, kernelObjects } from "./containers.ts";
import { testUnless } from "./machine.ts";

const { host, reason } = await containersHere();
const fixture = AgentFixture.use(beforeEach, afterEach);
const children: ChildProcess[] = [];
const tasksPerRound = 3;
const roundCount = Number(process.env["MUSTER_CRASH_ROUNDS"] ?? 2);

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** The compiled agent in a process of its own, as an operator would run it. */
const program = `
import { grpcTransport, silentLog as log, systemClock as clock, systemRandom as random } from "@muster/foundation";
import { createAgent, fingerprintHost, hostWorld } from "@muster/executors";
const [dataFolder, master] = process.argv.slice(1);
fingerprintHost({ dataFolder, ip: "127.0.0.1" }, ({ host, containers }) => {
  const world = hostWorld({ dataFolder, clock, log, hasNets: true, containers });
  const config = { name: "own", address: "127.0.0.1:5051", masters: [master], dataFolder, version: "0.1.0", host, diskFreeFractionMin: 0 };
  createAgent({ clock, random, transport: grpcTransport({}), log, ...world }, config).start();
});
`;

async function startAgent(): Promise<ChildProcess> {
  const { registrations } = fixture.master;
  const options = ["--input-type=module", "-e", program, fixture.dataFolder, fixture.master.address];
  const cwd = new URL("../../executors", import.meta.url);
  const child = spawn(process.execPath, options, { stdio: "inherit", cwd });
  children.push(child);
  await fixture.master.until(() => fixture.master.registrations > registrations, "registration", 20_000);
  return child;
}

async function killAgent(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}

/** The moments differ with every run; the name of a failing check says which they were. */
async function pauseAtRandom(msMax: number, moments: number[]): Promise<void> {
  const ms = Math.floor(Math.random() * msMax);
  moments.push(ms);
  await new Promise((resolve) => setTimeout(resolve, ms));
}

function hasEnded(taskId: string): boolean {
  return fixture.master.of(taskId).some(({ state }) => isTerminal(state));
}

for (const networkMode of ["host", "none"]) {
  const name = `case 18: an agent killed at any moment of launch and stop leaves nothing of exec tasks behind, network ${networkMode}`;
  const act = async (): Promise<void> => {
    const moments: number[] = [];
    let agent = await startAgent();
    for (let round = 0; round < roundCount; round++) {
      const names = Array.from({ length: tasksPerRound }, (_, index) => `task-${round}-${index}`);
      const spec = { driver: "exec", command: "sh", arguments: ["-c", "(setsid sleep 1000 &); sleep 1000"] };
      for (const taskId of names) fixture.master.launch({ taskId, networkMode, spec });
      await pauseAtRandom(250, moments);
      await killAgent(agent);
      agent = await startAgent();
      // What the first agent had not yet written down was never launched: told again, it must not be launched twice.
      for (const taskId of names) fixture.master.launch({ taskId, networkMode, spec });
      const isSettled = (taskId: string): boolean =>
        hasEnded(taskId) || fixture.master.of(taskId).some(({ state }) => state === TaskState.TASK_RUNNING);
      await fixture.master.until(() => names.every(isSettled), `launches after kills at ${moments}`, 15_000);
      for (const taskId of names) fixture.master.kill(taskId, 50);
      await pauseAtRandom(150, moments);
      await killAgent(agent);
      agent = await startAgent();
      for (const taskId of names) fixture.master.kill(taskId, 0);
      await fixture.master.until(() => names.every(hasEnded), `ends after kills at ${moments}`, 15_000);
      await expect
        .poll(() => kernelObjects(fixture.dataFolder), { timeout: 8_000, message: `kills at ${moments}` })
        .toEqual([]);
    }
  };
  testUnless(host ? "" : reason, name, act, 90_000);
}

async function endsWhileAway(taskId: string, script: string): Promise<TaskStatus> {
  const agent = await startAgent();
  fixture.master.launch({ taskId, spec: { driver: "exec", command: "sh", arguments: ["-c", script] } });
  await fixture.master.untilState(taskId, TaskState.TASK_RUNNING);
  const pid = fixture.master.of(taskId).at(-1)?.container?.pid ?? 0;
  await killAgent(agent);
  writeFileSync(`/proc/${pid}/root/local/go`, "");
  await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 5_000 }).toBe(false);
  await startAgent();
  await fixture.master.until(() => hasEnded(taskId), "the end of the task");
  return fixture.master.of(taskId).at(-1) as TaskStatus;
}

const waits = "until [ -e /local/go ]; do sleep 0.02; done";
const away = {
  "case 55: an exec task that exits with 7 while the agent is away is told as FAILED with 7": async () => {
    const { state, exitCode, signal } = await endsWhileAway("seven", `${waits}; exit 7`);
    expect({ state, exitCode, signal }).toEqual({ state: TaskState.TASK_FAILED, exitCode: 7, signal: "" });
  },
  "case 56: an exec task that signal 9 ends while the agent is away is told with the signal, not a code": async () => {
    const { state, exitCode, signal } = await endsWhileAway("nine", `${waits}; kill -9 $$`);
    expect({ state, exitCode, signal }).toEqual({
      state: TaskState.TASK_FAILED,
      exitCode: undefined,
      signal: "SIGKILL",
    });
  },
};

for (const [name, act] of Object.entries(away)) testUnless(host ? "" : reason, name, act, 30_000);
