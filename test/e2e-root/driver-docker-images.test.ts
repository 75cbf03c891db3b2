import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StatusReason, type TaskSpec, TaskState, type TaskStatus } from "@muster/proto";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import type { Agent } from "../../executors/src/agent/agent.ts";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { kernelObjects } from "./containers.ts";
import { engineTools, OwnDockerd } from "./engine.support.ts";
import { baseLayer, elsewhere, filesLayer, Layout } from "./images.support.ts";
import { LyingRegistry } from "./lying-registry.support.ts";
import { lacking, testUnless } from "./machine.ts";

const lack = lacking(...engineTools, "tar");
const { TASK_STARTING, TASK_FINISHED, TASK_FAILED, TASK_KILLED } = TaskState;
let engine: OwnDockerd;
let dataFolder = "";
afterEach(() =>
  expect
    .poll(async () => [...kernelObjects(dataFolder), ...(lack === "" ? await engine.containersOf(dataFolder) : [])], {
      timeout: 5_000,
    })
    .toEqual([]),
);
const fixture = AgentFixture.use(beforeEach, afterEach);
beforeEach(() => {
  dataFolder = fixture.dataFolder;
});

const folder = mkdtempSync(join(tmpdir(), "muster-images-"));
const layout = new Layout(folder);
/** Serves the layout, and lies where a test wants it to. An Engine asks what is on loopback without encryption. */
const registry = new LyingRegistry(layout);
afterEach(() => registry.reset());
beforeAll(async () => {
  if (lack !== "") return;
  const config = { Entrypoint: ["/bin/sh", "-c"], Cmd: ["echo $GREETING"], Env: ["GREETING=hello", "PATH=/bin"] };
  layout.add("base", { layers: [baseLayer(), filesLayer({ "second/file": "from above" })], config });
  layout.add("slow", { layers: [filesLayer({ "slow/file": "x" })], config });
  layout.add("elsewhere", { layers: [filesLayer({ "a/file": "x" })], config, architecture: elsewhere });
  engine = new OwnDockerd();
  await Promise.all([engine.start(), registry.start()]);
}, 40_000);
afterAll(async () => {
  await engine?.remove();
  if (lack === "") await registry.stop();
  rmSync(folder, { recursive: true, force: true });
}, 20_000);

function testDocker(title: string, act: () => Promise<void>): void {
  testUnless(lack, title, act, 30_000);
}

function agent(): Promise<Agent> {
  const config = fixture.configWith({ drivers: ["docker"], networkModes: ["host"] });
  return fixture.agentWithNets(["host"], config, undefined, { engineSocket: engine.socket });
}

function image(name: string, command: string, more: Partial<TaskSpec> = {}, config: object = {}): Partial<TaskSpec> {
  const driverConfigJson = JSON.stringify({ image: `${registry.address}/${name}`, ...config });
  return { driver: "docker", command, driverConfigJson, ...more };
}

const last = (taskId: string): TaskStatus => fixture.master.of(taskId).at(-1) as TaskStatus;

testDocker(
  "an Engine pulls an image once, says so, and what it has needs no registry unless the job forces it",
  async () => {
    await agent();
    fixture.master.launch({ taskId: "first", spec: image("base:base", "") });
    await fixture.master.untilState("first", TASK_FINISHED);
    expect(fixture.outputOf("first")).toBe("hello\n");
    const told = fixture.master.of("first").filter(({ state }) => state === TASK_STARTING);
    expect(told.map(({ message }) => message)).toContainEqual(
      expect.stringMatching(/^pulling image .*base:base: \d layers, \d+ MiB$/),
    );
    const asked = registry.asked.length;
    fixture.master.launch({ taskId: "second", spec: image("base:base", "cat /second/file") });
    await fixture.master.untilState("second", TASK_FINISHED);
    expect(fixture.outputOf("second")).toBe("from above");
    expect(registry.asked).toHaveLength(asked);
    registry.lie = (_path, response) => response.destroy() !== undefined;
    fixture.master.launch({
      taskId: "forced",
      spec: image("base:base", "", {}, { force_pull: true, image_pull_timeout_ms: 800 }),
    });
    await fixture.master.untilState("forced", TASK_FAILED);
    expect(last("forced").reason).toBe(StatusReason.REASON_LAUNCH_FAILED);
    expect(last("forced").message).toMatch(/^image .*base:base: .*(can't be reached|broke off|was not here)/);
  },
);

testDocker("an image that is not there, or for another machine, is told by the words of oci", async () => {
  await agent();
  fixture.master.launch({ taskId: "none", spec: image("base:none", "") });
  fixture.master.launch({ taskId: "elsewhere", spec: image("base:elsewhere", "") });
  fixture.master.launch({
    taskId: "layout",
    spec: { driver: "docker", driverConfigJson: JSON.stringify({ image: `oci:${folder}:base` }) },
  });
  for (const taskId of ["none", "elsewhere"]) await fixture.master.untilState(taskId, TASK_FAILED);
  expect(last("none").message).toMatch(/base:none: it was not found in the registry$/);
  expect(last("elsewhere").message).toMatch(/base:elsewhere: .*(no image for|no matching manifest|platform)/);
  await fixture.master.until(() => last("layout") !== undefined, "refusal");
  expect(last("layout")).toMatchObject({ reason: StatusReason.REASON_UNSUPPORTED });
  expect(last("layout").message).toMatch(/an Engine runs images of registries only/);
});

testDocker("a kill while an Engine pulls ends the task at once", async () => {
  registry.lie = (path) => path.includes("/blobs/");
  await agent();
  fixture.master.launch({ taskId: "pulled", spec: image("slow:slow", "") });
  await expect.poll(() => registry.blobsAsked().length, { timeout: 5_000 }).toBeGreaterThan(0);
  fixture.master.kill("pulled");
  await fixture.master.untilState("pulled", TASK_KILLED);
  expect(last("pulled").reason).toBe(StatusReason.REASON_KILLED_DURING_LAUNCH);
});
