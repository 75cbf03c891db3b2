import { StatusReason, type TaskSpec, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentFixture } from "./agent-fixture.test.support.ts";

const fixture = AgentFixture.use(beforeEach, afterEach);
const { TASK_FAILED, TASK_RUNNING } = TaskState;
const { REASON_PORT_NOT_ALLOCATED } = StatusReason;
const ports = [{ label: "http" }];

/** Listens on its own port, and in a child also on the ports that the kernel chooses; tells the latter. */
function server(count: number): Partial<TaskSpec> {
  const program = `
    const { createServer } = require("node:net");
    createServer().listen(Number(process.env.MUSTER_PORT_http), "127.0.0.1", () => console.log("own"));
    for (let i = 0; i < ${count}; i++) {
      const server = createServer().listen(0, "127.0.0.1", () => console.log("other " + server.address().port));
    }`;
  return { command: "sh", arguments: ["-c", `'${process.execPath}' -e '${program}' & wait`] };
}

function told(taskId: string) {
  return fixture.master.of(taskId).filter(({ reason }) => reason === REASON_PORT_NOT_ALLOCATED);
}

async function untilOutput(taskId: string, text: string): Promise<void> {
  await fixture.master.untilState(taskId, TASK_RUNNING);
  await expect.poll(() => fixture.outputOf(taskId), { timeout: 10_000 }).toContain(text);
}

test("case 3: a task that listens on a port that is not its own is ended, and its status says which", async () => {
  await fixture.agent({ enforcePorts: "kill", portWatchMs: 100 });
  fixture.master.launch({ taskId: "stray", ports, spec: server(1) });
  fixture.master.launch({ taskId: "good", ports, spec: server(0) });
  await untilOutput("good", "own");
  await fixture.master.untilState("stray", TASK_FAILED);
  const last = fixture.master.of("stray").at(-1);
  expect(last?.reason).toBe(REASON_PORT_NOT_ALLOCATED);
  expect(last?.message).toMatch(/^PORT_NOT_ALLOCATED: pid \d+ \(node\) listens on tcp port \d+,/);
  expect(fixture.master.of("good").at(-1)?.state).toBe(TASK_RUNNING);
});

test("case 4: where ports are only watched, its framework is told once and the task runs on", async () => {
  await fixture.agent({ enforcePorts: "warn", portWatchMs: 50 });
  fixture.master.launch({ taskId: "stray", ports, spec: server(2) });
  await fixture.master.until(() => told("stray").length >= 2, "two warnings");
  fixture.master.launch({ taskId: "later", ports, spec: server(1) });
  // By then the first one was looked at several times more.
  await fixture.master.until(() => told("later").length >= 1, "a warning");
  const numbers = [...fixture.outputOf("stray").matchAll(/other (\d+)/g)].map(([, port]) => Number(port));
  const warned = told("stray").map(({ message }) => Number(/tcp port (\d+)/.exec(message)?.[1]));
  expect(warned.sort()).toEqual(numbers.sort());
  expect(fixture.master.of("stray").every(({ state }) => state === TASK_RUNNING || state < TASK_RUNNING)).toBe(true);
});

test("a udp socket that asks is none that listens; one that is bound below the range of such is", async () => {
  await fixture.agent({ enforcePorts: "warn", portWatchMs: 50 });
  const program = `
    const { createSocket } = require("node:dgram");
    createSocket("udp4").bind(0);
    createSocket("udp4").bind(Number(process.env.MUSTER_PORT_http));
    const stray = createSocket("udp4").bind(Number(process.env.MUSTER_PORT_http) + 1);
    stray.on("listening", () => console.log("other " + stray.address().port));
    setTimeout(() => {}, 60000);`;
  const spec = { command: process.execPath, arguments: ["-e", program] };
  fixture.master.launch({ taskId: "udp", ports, spec });
  await fixture.master.until(() => told("udp").length >= 1, "a warning");
  const [, port] = /other (\d+)/.exec(fixture.outputOf("udp")) ?? [];
  expect(told("udp").map(({ message }) => /udp port (\d+)/.exec(message)?.[1])).toEqual([port]);
});
