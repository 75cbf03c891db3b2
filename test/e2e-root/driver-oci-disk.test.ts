import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TaskState, type TaskStatus } from "@muster/proto";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { containersHere, kernelObjects } from "./containers.ts";
import { baseLayer, filesLayer, imageTools, Layout, type Made } from "./images.support.ts";
import { lacking, testUnless } from "./machine.ts";

const { host, reason } = await containersHere();
const lack = host ? lacking(...imageTools, "mount") : reason;
const fixture = AgentFixture.use(beforeEach, afterEach);
const folder = mkdtempSync(join(tmpdir(), "muster-images-"));
const layout = new Layout(join(folder, "layout"));
const mebibyte = 2 ** 20;
let used: Made;
let unused: Made;

beforeAll(() => {
  if (lack !== "") return;
  const lowest = baseLayer();
  const config = { Cmd: ["/bin/sleep", "1000"] };
  used = layout.add("used", { layers: [lowest, filesLayer({ used: "u" })], config });
  const waste = filesLayer({ unused: "x".repeat(8 * mebibyte) });
  unused = layout.add("unused", { layers: [lowest, waste], config: { Cmd: ["/bin/ls"] } });
  layout.add("large", { layers: [lowest, filesLayer({ large: "x".repeat(100 * mebibyte) })], config });
}, 30_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A test whose agent has a small disk of its own. */
function testOnSmallDisk(title: string, act: (dataFolder: string) => Promise<void>): void {
  testUnless(lack, title, async () => {
    const { dataFolder } = fixture;
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m,mode=711", "tmpfs", dataFolder]);
    try {
      if (!host) throw new Error(reason);
      const agent = await fixture.agentWithContainers(host, ["host"], { hasImages: true }, { diskFreeBytesMin: 0 });
      try {
        await act(dataFolder);
      } finally {
        await fixture.stop(agent, "kill");
      }
    } finally {
      execFileSync("umount", ["--lazy", dataFolder]);
    }
    await expect.poll(() => kernelObjects(dataFolder), { timeout: 5_000 }).toEqual([]);
  });
}

function launch(taskId: string, tag: string): void {
  const driverConfigJson = JSON.stringify({ image: `oci:${layout.folder}:${tag}` });
  fixture.master.launch({ taskId, spec: { driver: "oci", command: "", driverConfigJson } });
}

const last = (taskId: string): TaskStatus => fixture.master.of(taskId).at(-1) as TaskStatus;

testOnSmallDisk(
  "case 77: on a disk at 90 % images that nobody uses go, those of running tasks stay",
  async (dataFolder) => {
    const layer = ({ layers }: Made): string => join(dataFolder, "images/layers", layers[1]?.diffId.slice(7) ?? "");
    launch("runs", "used");
    await fixture.master.untilState("runs", TaskState.TASK_RUNNING);
    launch("ends", "unused");
    await fixture.master.untilState("ends", TaskState.TASK_FINISHED);
    expect([used, unused].map((made) => existsSync(layer(made)))).toEqual([true, true]);
    const { blocks, bavail, bsize } = statfsSync(dataFolder);
    writeFileSync(join(dataFolder, "filler"), Buffer.alloc(bavail * bsize - Math.floor(blocks * bsize * 0.1)));
    launch("again", "used");
    await fixture.master.untilState("again", TaskState.TASK_RUNNING);
    await expect.poll(() => existsSync(layer(unused)), { timeout: 10_000 }).toBe(false);
    expect(existsSync(layer(used))).toBe(true);
    expect(readdirSync(join(dataFolder, "images/images"))).toEqual([used.digest.slice(7)]);
    await expect.poll(() => readdirSync(join(dataFolder, "images/blobs/sha256"))).toEqual([]);
    expect(last("runs").state).toBe(TaskState.TASK_RUNNING);
    rmSync(join(dataFolder, "filler"));
    launch("back", "unused");
    await fixture.master.untilState("back", TaskState.TASK_FINISHED);
  },
);

testOnSmallDisk(
  "an image that does not fit on the disk fails its task alone, and what there was of it goes",
  async (dataFolder) => {
    launch("small", "used");
    await fixture.master.untilState("small", TaskState.TASK_RUNNING);
    launch("large", "large");
    await fixture.master.untilState("large", TaskState.TASK_FAILED);
    expect(last("large").message).toMatch(/:large: the agent's disk is full: .*No space left on device/);
    await expect.poll(() => readdirSync(join(dataFolder, "images/moment"))).toEqual([]);
    const { blocks, bfree } = statfsSync(dataFolder);
    expect(bfree / blocks).toBeGreaterThan(0.3);
    launch("after", "used");
    await fixture.master.untilState("after", TaskState.TASK_RUNNING);
    expect(last("small").state).toBe(TaskState.TASK_RUNNING);
  },
);
