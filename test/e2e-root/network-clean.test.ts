import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@muster/foundation";
import { StatusReason, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { netFolder } from "../../executors/src/agent/folders.ts";
import { hostWorld } from "../../executors/src/host-world.ts";
import {
  elements,
  firstIps,
  httpServer,
  launchServer,
  leavesNothing,
  machineState,
  modes,
  pinsOf,
  portFirst,
  settings,
  statusOf,
  tools,
} from "./bridge.support.ts";
import { testWith } from "./machine.ts";

const undoing = leavesNothing(afterEach, () => fixture);
const fixture = AgentFixture.use(beforeEach, afterEach);
const { TASK_RUNNING, TASK_FAILED, TASK_KILLED } = TaskState;
const sleeping = { command: "sleep", arguments: ["1000"] };

/** Launches so many groups with a network at once, and waits until they run. */
async function launchMany(first: number, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, index) => `t${first + index}`);
  fixture.master.launch(
    ...ids.map((taskId) => ({ taskId, networkMode: "bridge", ports: [{ label: "http", to: 8080 }], spec: sleeping })),
  );
  await fixture.master.until(
    () => ids.every((id) => fixture.master.of(id).at(-1)?.state === TASK_RUNNING),
    `${count} tasks that run`,
    30_000,
  );
  return ids;
}

async function killAll(ids: readonly string[]): Promise<void> {
  for (const id of ids) fixture.master.kill(id, 0);
  await fixture.master.until(
    () => ids.every((id) => fixture.master.of(id).at(-1)?.state === TASK_KILLED),
    `${ids.length} tasks that have ended`,
    30_000,
  );
}

/** What of the whole machine belongs to nobody in particular, and must not grow. */
function machineCounts() {
  const processes = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && isOurs(name));
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter(
      (line) => line.includes(fixture.dataFolder) || pinsOf(fixture.dataFolder).some((pin) => line.includes(pin)),
    );
  return { processes: processes.length, mounts: mounts.length };
}

function isOurs(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(fixture.dataFolder);
  } catch {
    return false;
  }
}

testWith(tools, "case 25: two hundred tasks that have come and gone leave the machine as it was", async () => {
  await fixture.agentWithNets(modes, {}, settings);
  await launchMany(0, 1);
  const before = { state: machineState(fixture.dataFolder), counts: machineCounts() };
  for (let round = 0; round < 4; round++) await killAll(await launchMany(1 + round * 50, 50));
  await expect.poll(() => machineState(fixture.dataFolder), { timeout: 20_000 }).toEqual(before.state);
  await expect.poll(machineCounts, { timeout: 10_000 }).toEqual(before.counts);
});

/** Programs that come before those of their names in PATH, and write a line each time before they become them. */
function counted(names: readonly string[]): (name: string) => number {
  const folder = mkdtempSync(join(tmpdir(), "muster-counted-"));
  const path = process.env["PATH"] ?? "";
  for (const name of names) {
    const program = `#!/bin/sh\necho >> '${folder}/${name}.count'\nPATH='${path}' exec ${name} "$@"\n`;
    writeFileSync(join(folder, name), program);
    writeFileSync(join(folder, `${name}.count`), "");
    chmodSync(join(folder, name), 0o755);
  }
  process.env["PATH"] = `${folder}:${path}`;
  undoing.push(() => {
    process.env["PATH"] = path;
    rmSync(folder, { recursive: true });
  });
  return (name) => readFileSync(join(folder, `${name}.count`), "utf8").length;
}

testWith(tools, "case 83: a hundred networks that are asked for at once take few runs of ip and nft", async () => {
  await fixture.agentWithNets(modes, {}, settings);
  await launchMany(0, 1);
  const runs = counted(["ip", "nft"]);
  const ids = await launchMany(1, 100);
  // One by one it would be two of ip and one of nft for each; what is inside a namespace takes one for each.
  expect(runs("ip")).toBeGreaterThanOrEqual(ids.length);
  expect(runs("ip")).toBeLessThan(ids.length * 1.5);
  expect(runs("nft")).toBeLessThan(ids.length / 2);
  expect(new Set(ids.map((id) => statusOf(fixture, id)?.container?.ips[0])).size).toBe(ids.length);
});

testWith(tools, "case 23: after a restart of the machine nothing of the former networks is left", async () => {
  // With one address, whoever comes next has that of whoever was there before.
  const addressesMax = 1;
  const first = await fixture.agentWithNets(modes, { addressesMax }, settings);
  await launchServer(fixture, "web", portFirst);
  const pid = statusOf(fixture, "web")?.container?.pid ?? 0;
  await fixture.stop(first, "leave");
  const [key = ""] = readdirSync(join(fixture.dataFolder, "tasks"));
  const { shimPid } = JSON.parse(
    readFileSync(join(fixture.dataFolder, "tasks", key, "0", "state"), "latin1").replace(/^[^{]*/, ""),
  ).started;
  // What a restart takes: processes. What it may leave, where /run or the rules are kept: all the rest, and half a pin.
  process.kill(shimPid, "SIGKILL");
  process.kill(pid, "SIGKILL");
  const [pin = ""] = pinsOf(fixture.dataFolder);
  writeFileSync(`/run/netns/${pin}x`, "");
  undoing.push(() => rmSync(`/run/netns/${pin}x`, { force: true }));
  expect(elements(fixture.dataFolder)).toHaveLength(4);
  const options = {
    dataFolder: fixture.dataFolder,
    clock: systemClock,
    log: fixture.log,
    hasNets: true,
    bridge: settings,
  };
  const world = hostWorld(options);
  const proc = Object.assign(world.proc, { bootId: "another-boot" });
  const host = { networkModes: modes };
  const second = await fixture.agent({ ...fixture.configWith(host), addressesMax }, { ...world, proc });
  await fixture.master.untilState("web", TASK_FAILED);
  expect(statusOf(fixture, "web")?.reason).toBe(StatusReason.REASON_AGENT_REBOOTED);
  await expect.poll(() => [pinsOf(fixture.dataFolder), elements(fixture.dataFolder)]).toEqual([[], []]);
  // The last that goes; then the books are told.
  await expect.poll(() => existsSync(netFolder(fixture.dataFolder, key))).toBe(false);
  // Its port and its address are free again.
  await launchServer(fixture, "again", portFirst);
  expect(statusOf(fixture, "again")?.container?.ips).toEqual(firstIps);
  await fixture.stop(second, "kill");
});

testWith(
  tools,
  "case 31: of two tasks of a group that want one port the second fails, and is told of the first",
  async () => {
    await fixture.agentWithNets(modes, {}, settings);
    const { arguments: server } = httpServer(8080);
    const program = server?.at(-1) ?? "";
    // The second comes when the first listens.
    const second = `until perl -MIO::Socket::IP -e 'exit !IO::Socket::IP->new("127.0.0.1:8080")'; do sleep 0.05; done; exec perl -e "$1"`;
    fixture.master.launch({
      taskId: "first",
      networkMode: "bridge",
      ports: [{ label: "http", to: 8080 }],
      spec: httpServer(8080),
      others: [{ taskId: "second", spec: { command: "sh", arguments: ["-c", second, "sh", program] } }],
    });
    await fixture.master.untilState("second", TASK_FAILED);
    const last = statusOf(fixture, "second");
    const pid = fixture.master.of("first").find(({ state }) => state === TASK_RUNNING)?.container?.pid;
    expect(last?.reason).toBe(StatusReason.REASON_COMMAND_EXITED);
    expect(last?.message).toMatch(
      new RegExp(
        `^exit code \\d+; port 8080 \\("http"\\) is listened on by task first of its group already: pid ${pid} \\(perl\\)$`,
      ),
    );
  },
);
