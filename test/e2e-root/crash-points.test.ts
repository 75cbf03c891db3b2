import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isTerminal } from "@muster/foundation";
import { TaskState } from "@muster/proto";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import type { LaunchWish } from "../../executors/src/agent/scripted-master.test.support.ts";
import type { HostWorldOptions } from "../../executors/src/host-world.ts";
import { cniDefaults } from "../../executors/src/networks/cni/settings.ts";
import { ownerOf } from "../../executors/src/networks/kernel/namespaces.ts";
import { settings as bridge, machineState } from "./bridge.support.ts";
import { containersHere, kernelObjects } from "./containers.ts";
import { CrashAgent } from "./crash-agent.support.ts";
import { engineTools, OwnDockerd } from "./engine.support.ts";
import { baseLayer, filesLayer, Layout } from "./images.support.ts";
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
const executorProgram = fileURLToPath(new URL("../e2e/programs/custom-executor.js", import.meta.url));
let layout: Layout | undefined;
let base: Buffer = Buffer.alloc(0);
const agents = new Set<CrashAgent>();
const fixture = AgentFixture.use(beforeEach, afterEach);

const engineLack = lacking(...engineTools, ...needed);
const engine = new OwnDockerd();

beforeAll(async () => {
  if (containers || engineLack === "") base = baseLayer();
  if (containers) {
    layout = new Layout(imageFolder);
    layout.add("base", { layers: [base], config: { Env: ["PATH=/bin"] } });
  }
  if (engineLack !== "") return;
  await engine.start();
  await engine.importImage(base, "base:1", ["ENV PATH=/bin"]);
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

async function startAgent(kind: Kind): Promise<CrashAgent> {
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
    drivers: [driverOf(kind)],
    networkModes: ["host", "none", "bridge", "cni/web"],
    world: { bridge, cni, ...worldOf(driverOf(kind)) },
  });
  agents.add(agent);
  await agent.start();
  return agent;
}

function worldOf(driver: string): Partial<HostWorldOptions> {
  if (driver === "process") return {};
  return driver === "docker" ? { engineSocket: engine.socket } : { containers, hasImages: driver === "oci" };
}

/** What is killed in the midst of its life: a task of a driver, one of an image with a new layer, one of a custom executor. */
type Kind = "process" | "exec" | "oci" | "oci-new" | "docker" | "executor";

function driverOf(kind: Kind): string {
  return kind === "executor" ? "process" : kind === "oci-new" ? "oci" : kind;
}

interface Pair {
  readonly kind: Kind;
  readonly networkMode: string;
}

/** What a master sends, and the ids of the tasks in it: in that order they are ended. */
function launchesOf({ kind, networkMode }: Pair, taskId: string): { wishes: LaunchWish[]; ids: string[] } {
  if (kind === "executor") {
    const killPolicy = { signal: "", graceMs: 1_000 };
    const executor = { executorId: taskId };
    const resources = { cpuMillis: 10, memoryMiB: 16 };
    const spec = { command: process.execPath, arguments: [executorProgram], killPolicy };
    const self = { taskId: `${taskId}-self`, executor, isExecutor: true, resources, spec };
    const given = { taskId, executor, spec: { driverConfigJson: "{}", killPolicy } };
    return { wishes: [self, given], ids: [taskId, self.taskId] };
  }
  const images = { oci: `oci:${imageFolder}:base`, "oci-new": `oci:${imageFolder}:${taskId}`, docker: "base:1" };
  const image = images[kind as keyof typeof images];
  const config = image === undefined ? {} : { driverConfigJson: JSON.stringify({ image }) };
  if (kind === "oci-new") {
    const layers = [base, filesLayer({ "etc/new": taskId })];
    layout?.add(taskId, { layers, config: { Env: ["PATH=/bin"] } });
  }
  const spec = { driver: driverOf(kind), command: "sh", arguments: ["-c", "(sleep 1000 &); sleep 1000"], ...config };
  const ports = networkMode === "none" ? [] : [{ label: "http", to: networkMode === "host" ? 0 : 8080, number: 0 }];
  return { wishes: [{ taskId, networkMode, ports, spec }], ids: [taskId] };
}

/** A life from launch to its end, by an agent that is killed at that point of it. True if it came to that. */
async function live(agent: CrashAgent, pair: Pair, point: number): Promise<boolean> {
  const { master } = fixture;
  const { wishes, ids } = launchesOf(pair, `${pair.kind}-${pair.networkMode.replace("/", "-")}-${point}`);
  const states = (id: string): TaskState[] => master.of(id).map(({ state }) => state);
  const hasEnded = (id: string): boolean => states(id).some(isTerminal);
  const settled = (): boolean => ids.every((id) => hasEnded(id) || states(id).includes(TaskState.TASK_RUNNING));
  const what = (when: string): string => `${ids[0]}: ${when} an agent that was killed at effect ${point}, seed ${seed}`;
  agent.arm(point);
  master.launch(...wishes);
  await agent.untilDeadOr(settled, what("no start with"), settleMs);
  for (const id of ids) {
    if (agent.isDead) break;
    master.kill(id, 20);
    await agent.untilDeadOr(() => hasEnded(id), what("no end with"), settleMs);
  }
  // What comes after the end is told: acknowledgement, folders, network.
  await agent.untilDeadOr(() => isDeepEqual(remains(), nothing), what("something is left by"), settleMs);
  if (!agent.isDead) {
    for (const id of ids) expect(states(id), JSON.stringify(master.of(id).at(-1))).toContain(TaskState.TASK_RUNNING);
    return false;
  }
  agents.delete(agent);
  const next = await startAgent(pair.kind);
  try {
    // A master that has heard nothing of a launch sends it again; once it is known to have begun, it must not begin twice.
    master.launch(...wishes);
    await master.until(settled, what("no start after"), settleMs);
    for (const id of ids) {
      master.kill(id, 0);
      await master.until(() => hasEnded(id), what("no end after"), settleMs);
      const ends = master.of(id).filter(({ state }) => isTerminal(state));
      expect(new Set(ends.map(({ updateId }) => updateId)), what("more than one end after")).toHaveProperty("size", 1);
    }
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

const modesOf: Readonly<Record<Kind, readonly string[]>> = {
  process: allModes,
  exec: allModes,
  oci: ["none", "bridge"],
  "oci-new": ["none"],
  docker: ["host", "none"],
  executor: ["host"],
};
const names: Partial<Record<Kind, string>> = {
  "oci-new": "oci with a new layer",
  executor: "a custom executor and its task",
};
const inContainers = (...tools: readonly string[]): string => (containers ? lacking(...needed, ...tools) : reason);
const lacks: Readonly<Record<Kind, string>> = {
  process: lacking(...needed),
  exec: inContainers(),
  oci: inContainers("skopeo"),
  "oci-new": inContainers("skopeo"),
  docker: engineLack,
  executor: lacking(...needed),
};

for (const kind of Object.keys(modesOf) as Kind[])
  for (const networkMode of modesOf[kind]) {
    const lack = networkMode.startsWith("cni/") && !plugins ? "needs the plugins of CNI" : lacks[kind];
    testUnless(
      lack,
      `case 18: an agent killed at any effect of launch and stop leaves nothing or a whole task, ${names[kind] ?? kind} in ${networkMode}`,
      async () => {
        const pair = { kind, networkMode };
        const whole = await startAgent(kind);
        expect(await live(whole, pair, 0)).toBe(false);
        const count = await whole.count();
        await whole.kill();
        for (const point of chosen(count)) await live(await startAgent(kind), pair, point);
      },
      // Each point takes seconds on a busy machine, and a pair has up to some hundreds of them.
      pointsOfEach === Number.POSITIVE_INFINITY ? 3_600_000 : 120_000,
    );
  }
