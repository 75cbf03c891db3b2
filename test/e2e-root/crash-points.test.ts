import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isTerminal } from "@muster/foundation";
import { TaskState } from "@muster/proto";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import type { HostWorldOptions } from "../../executors/src/host-world.ts";
import { cniDefaults } from "../../executors/src/networks/cni/settings.ts";
import { ownerOf } from "../../executors/src/networks/kernel/namespaces.ts";
import { settings as bridge, machineState } from "./bridge.support.ts";
import { containersHere, kernelObjects } from "./containers.ts";
import { CrashAgent } from "./crash-agent.support.ts";
import { CrashOverlay } from "./crash-overlay.support.ts";
import { type CrashPair, driverOf, type Kind, launchesOf } from "./crash-pairs.support.ts";
import { engineTools, OwnDockerd } from "./engine.support.ts";
import { baseLayer, filesLayer, Layout } from "./images.support.ts";
import { lacking, testUnless } from "./machine.ts";

/**
 * Points that are tried of every pair: "all", which takes hours; "every 7", a part of them, which with seven seeds in a row
 * are all; or "17 18". Else a few of every third pair, by the seed.
 */
const wanted = process.env["MUSTER_CRASH_POINTS"] ?? "";
const pointsApart = wanted === "all" ? 1 : Number(/^every (\d+)$/.exec(wanted)?.[1] ?? 0);
const pointsOfEach = 2;
const pairsApart = wanted === "" ? 3 : 1;
const seed = Number(process.env["MUSTER_CRASH_SEED"] ?? Math.floor(Math.random() * 1_000));
const settleMs = 15_000;
/** A look runs half a dozen programs. */
const lookAtMachineEveryMs = 50;
const plugins = ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"].find((folder) => existsSync(`${folder}/ptp`));
const { host: containers, reason } = await containersHere();
const needed = ["ip", "nft", "iptables"];
const imageFolder = mkdtempSync(join(tmpdir(), "muster-images-"));
const layout = new Layout(imageFolder);
let base: Buffer = Buffer.alloc(0);
const agents = new Set<CrashAgent>();
const fixture = AgentFixture.use(beforeEach, afterEach);
const overlay = new CrashOverlay();

const engineLack = lacking(...engineTools, ...needed);
const engine = new OwnDockerd();
let engineStarted: Promise<void> | undefined;

beforeAll(() => {
  if (!containers && engineLack !== "") return;
  base = baseLayer();
  layout.add("base", { layers: [base], config: { Env: ["PATH=/bin"] } });
});
afterAll(async () => {
  rmSync(imageFolder, { recursive: true, force: true });
  overlay.down();
  await engine.remove();
}, 20_000);

/** Only pairs with an Engine wait for one. */
function withEngine(): Promise<void> {
  engineStarted ??= engine.start().then(() => engine.importImage(base, "base:1", ["ENV PATH=/bin"]));
  return engineStarted;
}

const cniFolder = (): string => `${fixture.dataFolder}.cni`;

afterEach(async () => {
  for (const agent of agents) await agent.kill();
  agents.clear();
  rmSync(cniFolder(), { recursive: true, force: true });
  // What groups share is left by an agent that was killed, and goes with the next that has none.
  if (lacking(...needed) !== "") return;
  const { underlay } = overlay;
  await fixture.stop(await fixture.agentWithNets(["host"], {}, bridge, { underlay }), "kill");
  const { links, elements: mapped } = machineState(fixture.dataFolder);
  const shared = overlay.shared(fixture.dataFolder);
  expect({ links, mapped, shared }).toEqual({ links: [], mapped: undefined, shared: [] });
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
    links: [...links.filter((name) => name.startsWith("mv")), ...overlay.groupLinks(dataFolder)],
    elements,
    rules: rules.filter((line) => line.includes(`muster-${ownerOf(dataFolder)}`)),
    addresses: given.filter((name) => /^\d/.test(name)),
    objects: kernelObjects(dataFolder),
    containers: engine.containerFolders(),
  };
}

const nothing = { pins: [], links: [], elements: [], rules: [], addresses: [], objects: [], containers: [] };

async function startAgent({ kind, networkMode }: CrashPair): Promise<CrashAgent> {
  const folder = cniFolder();
  mkdirSync(`${folder}/net.d`, { recursive: true });
  const ipam = { type: "host-local", dataDir: `${folder}/ipam`, ranges: [[{ subnet: "10.219.0.0/24" }]] };
  const chain = [
    { type: "ptp", ipMasq: true, ipam },
    { type: "portmap", capabilities: { portMappings: true } },
  ];
  writeFileSync(`${folder}/net.d/web.conflist`, JSON.stringify({ name: "web", cniVersion: "1.0.0", plugins: chain }));
  const cni = { ...cniDefaults, configFolder: `${folder}/net.d`, pluginFolders: [plugins ?? ""] };
  const { underlay } = overlay;
  const hasOverlay = networkMode === CrashOverlay.mode;
  if (hasOverlay) overlay.up();
  if (kind === "docker") await withEngine();
  const agent = new CrashAgent(fixture, {
    drivers: [driverOf(kind)],
    networkModes: ["host", "none", "bridge", "cni/web"],
    world: { bridge, cni, ...(hasOverlay ? { underlay } : {}), ...worldOf(driverOf(kind)) },
  });
  agents.add(agent);
  await agent.start();
  return agent;
}

function worldOf(driver: string): Partial<HostWorldOptions> {
  if (driver === "process") return {};
  return driver === "docker" ? { engineSocket: engine.socket } : { containers, hasImages: driver === "oci" };
}

/**
 * A life from launch to its end, by an agent that is killed at that point of it. Gives the agent that lives on: the same if
 * it never came to that, else its successor, which can live the next life.
 */
async function live(agent: CrashAgent, pair: CrashPair, point: number): Promise<CrashAgent> {
  const { master } = fixture;
  const id = `${pair.kind}-${pair.networkMode.replace("/", "-")}-${point}`;
  if (pair.kind === "oci-new") {
    const layers = [base, filesLayer({ "etc/new": id })];
    layout.add(id, { layers, config: { Env: ["PATH=/bin"] } });
  }
  const { wishes, ids } = launchesOf(pair, id, imageFolder);
  const states = (task: string): TaskState[] => master.of(task).map(({ state }) => state);
  const hasEnded = (task: string): boolean => states(task).some(isTerminal);
  const settled = (): boolean => ids.every((one) => hasEnded(one) || states(one).includes(TaskState.TASK_RUNNING));
  const what = (when: string): string => `${ids[0]}: ${when} an agent that was killed at effect ${point}, seed ${seed}`;
  const hasOverlay = pair.networkMode === CrashOverlay.mode;
  const isReady = (): boolean => !hasOverlay || overlay.isReady(fixture);
  // Making what groups share is part of a launch, and of none but the first.
  if (hasOverlay) overlay.removeShared(fixture.dataFolder);
  agent.arm(point);
  if (hasOverlay) overlay.tell(fixture);
  await agent.untilDeadOr(isReady, what("no network with"), settleMs);
  if (!agent.isDead) master.launch(...wishes);
  await agent.untilDeadOr(settled, what("no start with"), settleMs);
  for (const one of ids) {
    if (agent.isDead) break;
    master.kill(one, 20);
    await agent.untilDeadOr(() => hasEnded(one), what("no end with"), settleMs);
  }
  // What comes after the end is told: acknowledgement, folders, network.
  const isCleared = (): boolean => isDeepEqual(remains(), nothing);
  await agent.untilDeadOr(isCleared, what("something is left by"), settleMs, lookAtMachineEveryMs);
  if (!agent.isDead) {
    for (const one of ids) expect(states(one), JSON.stringify(master.of(one).at(-1))).toContain(TaskState.TASK_RUNNING);
    return agent;
  }
  agents.delete(agent);
  const next = await startAgent(pair);
  if (hasOverlay) overlay.tell(fixture);
  await master.until(isReady, what("no network after"), settleMs);
  // A master that has heard nothing of a launch sends it again; once it is known to have begun, it must not begin twice.
  master.launch(...wishes);
  await master.until(settled, what("no start after"), settleMs);
  for (const one of ids) {
    master.kill(one, 0);
    await master.until(() => hasEnded(one), what("no end after"), settleMs);
    const ends = master.of(one).filter(({ state }) => isTerminal(state));
    expect(new Set(ends.map(({ updateId }) => updateId)), what("more than one end after")).toHaveProperty("size", 1);
  }
  await expect.poll(remains, { timeout: settleMs, message: what("something is left by") }).toEqual(nothing);
  return next;
}

function isDeepEqual(a: object, b: object): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** So many of the points, evenly, beginning anywhere. */
function chosen(count: number): number[] {
  if (/^\d/.test(wanted)) return wanted.split(" ").map(Number);
  const step = pointsApart || Math.max(1, Math.floor(count / pointsOfEach));
  const points: number[] = [];
  for (let point = 1 + (seed % step); point <= count; point += step) points.push(point);
  return points;
}

const modes = ["host", "none", "bridge", "cni/web", "container", CrashOverlay.mode];
const modesOf: Readonly<Record<Kind, readonly string[]>> = {
  process: modes,
  exec: modes,
  oci: modes,
  "oci-new": ["none"],
  docker: modes,
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

const pairs = (Object.keys(modesOf) as Kind[]).flatMap((kind) =>
  modesOf[kind].map((networkMode): CrashPair => ({ kind, networkMode })),
);

for (const pair of pairs.filter((_, index) => index % pairsApart === seed % pairsApart)) {
  const { kind, networkMode } = pair;
  const lack = networkMode.startsWith("cni/") && !plugins ? "needs the plugins of CNI" : lacks[kind];
  testUnless(
    lack,
    `case 18: an agent killed at any effect of launch and stop leaves nothing or a whole task, ${names[kind] ?? kind} in ${networkMode}`,
    async () => {
      let agent = await startAgent(pair);
      expect(await live(agent, pair, 0)).toBe(agent);
      const count = await agent.count();
      if (pointsApart > 0) console.log(`${kind} in ${networkMode}: ${count} effects`);
      for (const point of chosen(count)) {
        // What groups of an overlay share is taken away under it, and an agent that has it does not make it again.
        if (networkMode === CrashOverlay.mode) {
          await agent.kill();
          agents.delete(agent);
          agent = await startAgent(pair);
        }
        agent = await live(agent, pair, point);
      }
    },
    // Each point takes seconds on a busy machine, and a pair has up to some hundreds of them.
    pointsApart > 0 ? 3_600_000 : 120_000,
  );
}
