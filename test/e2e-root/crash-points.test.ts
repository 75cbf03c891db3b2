import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TaskState } from "@muster/proto";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { isTerminal } from "../../executors/src/agent/core/status.ts";
import type { HostWorldOptions } from "../../executors/src/host-world.ts";
import { cniDefaults } from "../../executors/src/networks/cni/settings.ts";
import { ownerOf } from "../../executors/src/networks/kernel/namespaces.ts";
import { settings as bridge, machineState } from "./bridge.support.ts";
import { containersHere, kernelObjects } from "./containers.ts";
import { CrashAgent } from "./crash-agent.support.ts";
import { engineTools, OwnDockerd } from "./engine.support.ts";
import { baseLayer, Layout } from "./images.support.ts";
import { lacking, testUnless } from "./machine.ts";

/** Points of each pair that are tried, if not a few of them: "all", which takes half an hour, or "17 18". */
const wanted = process.env["MUSTER_CRASH_POINTS"] ?? "";
const pointsOfEach = wanted === "all" ? Number.POSITIVE_INFINITY : 3;
const seed = Number(process.env["MUSTER_CRASH_SEED"] ?? Math.floor(Math.random() * 1_000));
const settleMs = 15_000;
const plugins = ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"].find((folder) => existsSync(`${folder}/ptp`));
const { host: containers, reason } = await containersHere();
const needed = ["ip", "nft", "iptables"];
const allModes = ["host", "none", "bridge", "cni/web"];
const imageFolder = mkdtempSync(join(tmpdir(), "muster-images-"));
const agents = new Set<CrashAgent>();
const fixture = AgentFixture.use(beforeEach, afterEach);

const engineLack = lacking(...engineTools, ...needed);
const engine = new OwnDockerd();

beforeAll(async () => {
  if (containers) new Layout(imageFolder).add("base", { layers: [baseLayer()], config: { Env: ["PATH=/bin"] } });
  if (engineLack !== "") return;
  await engine.start();
  await engine.importImage(baseLayer(), "base:1", ["ENV PATH=/bin"]);
}, 40_000);
afterAll(async () => {
  rmSync(imageFolder, { recursive: true, force: true });
  await engine.remove();
}, 20_000);

const cniFolder = (): string => `${fixture.dataFolder}.cni`;

afterEach(async () => {
  for (const agent of agents) await agent.kill();
  agents.clear();
  rmSync(cniFolder(), { recursive: true, force: true });
  // What groups share is left by an agent that was killed, and goes with the next that has none.
  if (lacking(...needed) !== "") return;
  await fixture.stop(await fixture.agentWithNets(["host"], {}, bridge), "kill");
  const { links, elements: mapped } = machineState(fixture.dataFolder);
  expect({ links, mapped }).toEqual({ links: [], mapped: undefined });
});

/**
 * What there is of groups on this machine, wherever it comes from. What groups share outlasts them for a while, and so do
 * their folders, in which people look for logs.
 */
function remains(): object {
  const { dataFolder } = fixture;
  const { pins, links, elements = [] } = machineState(dataFolder);
  const rules = execFileSync("iptables-save", { encoding: "utf8" }).split("\n");
  const given = existsSync(`${cniFolder()}/ipam/web`) ? readdirSync(`${cniFolder()}/ipam/web`) : [];
  return {
    pins,
    links: links.filter((name) => name.startsWith("mv")),
    elements,
    rules: rules.filter((line) => line.includes(`muster-${ownerOf(dataFolder)}`)),
    addresses: given.filter((name) => /^\d/.test(name)),
    objects: kernelObjects(dataFolder),
    containers: engine.containerFolders(),
  };
}

const nothing = { pins: [], links: [], elements: [], rules: [], addresses: [], objects: [], containers: [] };

async function startAgent(driver: string): Promise<CrashAgent> {
  const folder = cniFolder();
  mkdirSync(`${folder}/net.d`, { recursive: true });
  const ipam = { type: "host-local", dataDir: `${folder}/ipam`, ranges: [[{ subnet: "10.219.0.0/24" }]] };
  const chain = [
    { type: "ptp", ipMasq: true, ipam },
    { type: "portmap", capabilities: { portMappings: true } },
  ];
  writeFileSync(`${folder}/net.d/web.conflist`, JSON.stringify({ name: "web", cniVersion: "1.0.0", plugins: chain }));
  const cni = { ...cniDefaults, configFolder: `${folder}/net.d`, pluginFolders: [plugins ?? ""] };
  const agent = new CrashAgent(fixture, {
    drivers: [driver],
    networkModes: ["host", "none", "bridge", "cni/web"],
    world: { bridge, cni, ...worldOf(driver) },
  });
  agents.add(agent);
  await agent.start();
  return agent;
}

function worldOf(driver: string): Partial<HostWorldOptions> {
  if (driver === "process") return {};
  return driver === "docker" ? { engineSocket: engine.socket } : { containers, hasImages: driver === "oci" };
}

interface Pair {
  readonly driver: string;
  readonly networkMode: string;
}

/** One task's life from launch to its end, by an agent that is killed at that point of it. True if it came to that. */
async function live(agent: CrashAgent, { driver, networkMode }: Pair, point: number): Promise<boolean> {
  const taskId = `${driver}-${networkMode.replace("/", "-")}-${point}`;
  const images: Record<string, string> = { oci: `oci:${imageFolder}:base`, docker: "base:1" };
  const image = images[driver] ? { driverConfigJson: JSON.stringify({ image: images[driver] }) } : {};
  const spec = { driver, command: "sh", arguments: ["-c", "(sleep 1000 &); sleep 1000"], ...image };
  const ports = networkMode === "none" ? [] : [{ label: "http", to: networkMode === "host" ? 0 : 8080, number: 0 }];
  const { master } = fixture;
  const states = (): TaskState[] => master.of(taskId).map(({ state }) => state);
  const hasEnded = (): boolean => states().some(isTerminal);
  const settled = (): boolean => hasEnded() || states().includes(TaskState.TASK_RUNNING);
  const what = (when: string): string => `${taskId}: ${when} an agent that was killed at effect ${point}, seed ${seed}`;
  agent.arm(point);
  master.launch({ taskId, networkMode, ports, spec });
  await agent.untilDeadOr(settled, what("no start with"), settleMs);
  if (!agent.isDead) {
    master.kill(taskId, 20);
    await agent.untilDeadOr(hasEnded, what("no end with"), settleMs);
  }
  // What comes after the end is told: acknowledgement, folders, network.
  await agent.untilDeadOr(() => isDeepEqual(remains(), nothing), what("something is left by"), settleMs);
  if (!agent.isDead) {
    expect(states(), JSON.stringify(master.of(taskId).at(-1))).toContain(TaskState.TASK_RUNNING);
    return false;
  }
  agents.delete(agent);
  const next = await startAgent(driver);
  try {
    // A master that has heard nothing of a launch sends it again; once it is known to have begun, it must not begin twice.
    master.launch({ taskId, networkMode, ports, spec });
    await master.until(settled, what("no start after"), settleMs);
    master.kill(taskId, 0);
    await master.until(hasEnded, what("no end after"), settleMs);
    expect(states().filter(isTerminal).length).toBeGreaterThan(0);
    const ends = master.of(taskId).filter(({ state }) => isTerminal(state));
    expect(new Set(ends.map(({ updateId }) => updateId)), what("more than one end after")).toHaveProperty("size", 1);
    await expect.poll(remains, { timeout: 8_000, message: what("something is left by") }).toEqual(nothing);
  } finally {
    await next.kill();
    agents.delete(next);
  }
  return true;
}

function isDeepEqual(a: object, b: object): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** So many of the points, evenly, beginning anywhere. */
function chosen(count: number): number[] {
  if (/^\d/.test(wanted)) return wanted.split(" ").map(Number);
  const step = Math.max(1, Math.floor(count / pointsOfEach));
  const points: number[] = [];
  for (let point = 1 + (seed % step); point <= count; point += step) points.push(point);
  return points;
}

const modesOf = { process: allModes, exec: allModes, oci: ["none", "bridge"], docker: ["host", "none"] };

for (const driver of Object.keys(modesOf) as (keyof typeof modesOf)[])
  for (const networkMode of modesOf[driver]) {
    const name = `case 18: an agent killed at any effect of launch and stop leaves nothing or a whole task, ${driver} in ${networkMode}`;
    const lacks = {
      process: lacking(...needed),
      exec: containers ? lacking(...needed) : reason,
      oci: containers ? lacking(...needed, "skopeo") : reason,
      docker: engineLack,
    };
    const lack = lacks[driver];
    const lackHere = networkMode.startsWith("cni/") && !plugins ? "needs the plugins of CNI" : lack;
    testUnless(
      lackHere,
      name,
      async () => {
        const pair = { driver, networkMode };
        const whole = await startAgent(driver);
        expect(await live(whole, pair, 0)).toBe(false);
        const count = await whole.count();
        await whole.kill();
        for (const point of chosen(count)) await live(await startAgent(driver), pair, point);
      },
      // Each point takes seconds on a busy machine, and a pair has up to some hundreds of them.
      pointsOfEach === Number.POSITIVE_INFINITY ? 3_600_000 : 60_000,
    );
  }
