import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { StatusReason, type TaskSpec, TaskState, type TaskStatus } from "@muster/proto";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import type { Agent } from "../../executors/src/agent/agent.ts";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { ownerOf } from "../../executors/src/networks/kernel/namespaces.ts";
import { kernelObjects } from "./containers.ts";
import { engineTools, OwnDockerd } from "./engine.support.ts";
import { baseLayer } from "./images.support.ts";
import { lacking, testUnless } from "./machine.ts";

const lack = lacking(...engineTools, "ip");
const { TASK_RUNNING, TASK_FAILED, TASK_FINISHED, TASK_KILLED } = TaskState;
let engine: OwnDockerd;
let dataFolder = "";
afterEach(() =>
  expect
    .poll(async () => [...kernelObjects(dataFolder), ...(lack === "" ? await engine.containersOf(dataFolder) : [])], {
      timeout: 10_000,
    })
    .toEqual([]),
);
const fixture = AgentFixture.use(beforeEach, afterEach);
beforeEach(() => {
  dataFolder = fixture.dataFolder;
});

beforeAll(async () => {
  if (lack !== "") return;
  engine = new OwnDockerd("--live-restore");
  await engine.start();
  await engine.importImage(baseLayer(), "base:1", ['ENTRYPOINT ["/bin/sh","-c"]', "ENV PATH=/bin"]);
}, 40_000);
afterAll(() => engine?.remove());

function testDocker(title: string, act: () => Promise<void>): void {
  testUnless(lack, title, act, 40_000);
}

function agent(): Promise<Agent> {
  const networkModes = ["host", "none"];
  const config = fixture.configWith({ drivers: ["docker"], networkModes });
  return fixture.agentWithNets(networkModes, { ...config, sweepMs: 300 }, undefined, { engineSocket: engine.socket });
}

const last = (taskId: string): TaskStatus => fixture.master.of(taskId).at(-1) as TaskStatus;

async function launch(taskId: string, text: string, more: Partial<TaskSpec> = {}, networkMode = "host"): Promise<void> {
  const spec = { driver: "docker", command: text, driverConfigJson: JSON.stringify({ image: "base:1" }), ...more };
  fixture.master.launch({ taskId, spec, networkMode });
  await fixture.master.untilState(taskId, TASK_RUNNING);
}

/** Processes of this test's agent that have that name. */
function pidsOf(name: string): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "latin1").startsWith(`${name} ${dataFolder}/tasks/`);
      } catch {
        return false;
      }
    });
}

function kill(...names: readonly string[]): void {
  const pids = names.flatMap(pidsOf);
  expect(pids.length).toBe(names.length);
  for (const pid of pids) process.kill(pid, "SIGKILL");
}

async function expectLost(taskId: string): Promise<void> {
  await fixture.master.untilState(taskId, TASK_FAILED);
  expect(last(taskId).reason).toBe(StatusReason.REASON_SUPERVISOR_LOST);
  await expect.poll(() => engine.containersOf(dataFolder)).toEqual([]);
}

testDocker(
  "case 58: when the client of the Engine or its shim is killed, the container ends with it, and why is told",
  async () => {
    await agent();
    await launch("client", "sleep 1000");
    kill("muster-engine");
    await expectLost("client");
    await launch("shim", "sleep 1000", {}, "none");
    kill("muster-shim");
    await expectLost("shim");
    await launch("both", "sleep 1000");
    kill("muster-shim", "muster-engine");
    await expectLost("both");
  },
);

testDocker(
  "a container whose shim and client were killed while the agent was away ends when the agent is back",
  async () => {
    const first = await agent();
    await launch("unowned", "sleep 1000");
    const pid = last("unowned").container?.pid ?? 0;
    await fixture.stop(first, "leave");
    kill("muster-shim", "muster-engine");
    await expect.poll(() => pidsOf("muster-engine")).toEqual([]);
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    await agent();
    await expectLost("unowned");
  },
);

testDocker(
  "with its shim alone killed while the agent is away, a container does not wait for the agent to end",
  async () => {
    const first = await agent();
    await launch("away", "sleep 1000");
    await fixture.stop(first, "leave");
    kill("muster-shim");
    await expect.poll(() => engine.containersOf(dataFolder)).toEqual([]);
    await agent();
    await expectLost("away");
  },
);

testDocker("containers of the agent that no record speaks of are removed, those of others are not", async () => {
  const own = { "muster.task": "gone-1.0", "muster.agent": ownerOf(dataFolder) };
  await engine.create("own", own);
  await engine.create("other", { ...own, "muster.agent": "other" });
  try {
    expect(await engine.containersOf(dataFolder)).toEqual(["gone-1.0"]);
    await agent();
    await expect.poll(() => engine.containersOf(dataFolder)).toEqual([]);
    await engine.create("own", own);
    await expect.poll(() => engine.containersOf(dataFolder)).toEqual([]);
    expect(await engine.names()).toContain("/other");
  } finally {
    await engine.removeContainer("other");
  }
});

testDocker(
  "an Engine that goes away and comes back finds its task alive, its output going on, its end told",
  async () => {
    await agent();
    await launch("outlives", "until [ -e /local/go ]; do echo lives; sleep 0.05; done; echo ends; exit 7");
    const root = `/proc/${last("outlives").container?.pid}/root/local`;
    await expect.poll(() => fixture.outputOf("outlives")).toContain("lives\n");
    await engine.stop();
    const before = fixture.outputOf("outlives");
    await engine.start();
    // What it writes until it is taken up again may be lost.
    await expect.poll(() => fixture.outputOf("outlives").length, { timeout: 10_000 }).toBeGreaterThan(before.length);
    writeFileSync(`${root}/go`, "");
    await fixture.master.untilState("outlives", TASK_FAILED);
    expect(last("outlives")).toMatchObject({ exitCode: 7, signal: "" });
    expect(fixture.outputOf("outlives")).toMatch(/lives\nends\n$/);
  },
);

testDocker(
  "while its Engine is away a task can be killed, and one that ends is told; a launch fails and says why",
  async () => {
    await agent();
    await launch("killed", "exec sleep 1000");
    await launch("ends", "until [ -e /local/go ]; do sleep 0.02; done; exit 7");
    await engine.stop();
    try {
      fixture.master.kill("killed", 0);
      writeFileSync(`/proc/${last("ends").container?.pid}/root/local/go`, "");
      const spec = { driver: "docker", command: "true", driverConfigJson: JSON.stringify({ image: "base:1" }) };
      fixture.master.launch({ taskId: "refused", spec });
      await fixture.master.untilState("refused", TASK_FAILED);
      expect(last("refused").message).toMatch(/^image base:1: .*(ECONNREFUSED|ENOENT)/);
      await fixture.master.until(() => last("killed").state === TASK_KILLED, "kill", 15_000);
      await fixture.master.until(() => last("ends").state === TASK_FAILED, "end", 15_000);
      expect(last("ends").exitCode).toBe(7);
    } finally {
      await engine.start();
    }
    await launch("after", "sleep 0.1");
    await fixture.master.untilState("after", TASK_FINISHED);
  },
);
