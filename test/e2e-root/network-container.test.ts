import { readlinkSync } from "node:fs";
import { Health, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { leavesNothing, modes, pinsOf, settings, statusOf, tools } from "./bridge.support.ts";
import { testWith } from "./machine.ts";

leavesNothing(afterEach, () => fixture);
const fixture = AgentFixture.use(beforeEach, afterEach);
const { TASK_RUNNING, TASK_KILLED } = TaskState;

const sleeper = { command: "sleep", arguments: ["600"] };
const server = {
  command: process.execPath,
  arguments: ["-e", 'require("http").createServer((_, r) => r.end("hello")).listen(7000, "127.0.0.1")'],
};
const asking = {
  command: "sh",
  arguments: ["-c", "until curl -sS http://127.0.0.1:7000/; do sleep 0.1; done; hostname; exec sleep 600"],
};

/** The network namespace that a task's main process is in. */
function namespaceOf(taskId: string): string {
  return readlinkSync(`/proc/${statusOf(fixture, taskId)?.container?.pid}/ns/net`);
}

async function running(...taskIds: string[]): Promise<void> {
  for (const taskId of taskIds) await fixture.master.untilState(taskId, TASK_RUNNING);
}

testWith(
  tools,
  "in a group with the host's network a task has one of its own, which another joins by name",
  async () => {
    const first = await fixture.agentWithNets(modes, {}, settings);
    const common = { name: "", intervalMs: 100, timeoutMs: 2_000, graceMs: 60_000, failuresMax: 2, action: 1 as const };
    const check = { ...common, tcp: { portLabel: "" }, loopbackPort: 7000 };
    fixture.master.launch({
      taskId: "free",
      spec: sleeper,
      others: [
        { taskId: "joins", spec: { ...asking, networkMode: "container:alone" } },
        { taskId: "alone", spec: { ...server, networkMode: "none", healthChecks: [check] } },
      ],
    });
    await running("free", "joins", "alone");
    expect(namespaceOf("free")).toBe(readlinkSync("/proc/self/ns/net"));
    expect(namespaceOf("joins")).toBe(namespaceOf("alone"));
    expect(namespaceOf("alone")).not.toBe(namespaceOf("free"));
    await expect.poll(() => fixture.outputOf("joins"), { timeout: 10_000 }).toBe("helloalone\n");
    await fixture.master.until(() => statusOf(fixture, "alone")?.health === Health.HEALTH_HEALTHY, "healthy");
    const [pin] = pinsOf(fixture.dataFolder);
    const before = namespaceOf("alone");
    await fixture.stop(first, "leave");
    await fixture.agentWithNets(modes, {}, settings);
    expect(pinsOf(fixture.dataFolder)).toEqual([pin]);
    expect(namespaceOf("joins")).toBe(before);
    for (const taskId of ["free", "joins", "alone"]) fixture.master.kill(taskId, 0);
    for (const taskId of ["free", "joins", "alone"]) await fixture.master.untilState(taskId, TASK_KILLED);
    await expect.poll(() => pinsOf(fixture.dataFolder)).toEqual([]);
  },
);

testWith(tools, "in a group with a network of its own, container:TASK is that one, and none is another", async () => {
  await fixture.agentWithNets(modes, {}, settings);
  fixture.master.launch({
    taskId: "web",
    networkMode: "bridge",
    spec: sleeper,
    others: [
      { taskId: "joins", spec: { ...sleeper, networkMode: "container:web" } },
      { taskId: "alone", spec: { ...sleeper, networkMode: "none" } },
    ],
  });
  await running("web", "joins", "alone");
  expect(namespaceOf("joins")).toBe(namespaceOf("web"));
  expect(namespaceOf("alone")).not.toBe(namespaceOf("web"));
  expect(pinsOf(fixture.dataFolder)).toHaveLength(2);
  for (const taskId of ["web", "joins", "alone"]) fixture.master.kill(taskId, 0);
  for (const taskId of ["web", "joins", "alone"]) await fixture.master.untilState(taskId, TASK_KILLED);
  await expect.poll(() => pinsOf(fixture.dataFolder)).toEqual([]);
});
