import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { silentLog } from "@muster/foundation";
import { compileJob, networkWarnings } from "@muster/jobspecs";
import { TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { findNetworkModes } from "../../executors/src/agent/fingerprint/network-modes.ts";
import { bridgeDefaults } from "../../executors/src/networks/bridge/settings.ts";
import { findCniNetworks } from "../../executors/src/networks/cni/find-networks.ts";
import { cniDefaults } from "../../executors/src/networks/cni/settings.ts";
import { ownerOf } from "../../executors/src/networks/kernel/namespaces.ts";
import {
  bridgeOf,
  settings as bridgeSettings,
  firstIps,
  get,
  httpServer,
  launchServer,
  pinsOf,
  portOf,
  statusOf,
  untilListening,
} from "./bridge.support.ts";
import { lacking, testWith } from "./machine.ts";

const plugins = "/usr/lib/cni";
const tools = ["ip", "nft", "curl", "iptables"];
const { TASK_KILLED, TASK_FAILED } = TaskState;

/** The plugin `firewall` leaves chains of its own to the host. A machine that had such tables keeps them. */
const tablesBefore = tablesOfHost();

function tablesOfHost(): string[] {
  if (lacking(...tools) !== "") return [];
  const listed = execFileSync("nft", ["list", "tables"], { encoding: "utf8" });
  return listed.split("\n").filter((line) => /^table ip6? filter$/.test(line));
}

/** Named first, so that it comes last: nothing is left when the agent is gone. */
afterEach(() => {
  for (const table of tablesOfHost())
    if (!tablesBefore.includes(table)) execFileSync("nft", ["delete", ...table.split(" ")]);
  const isKernelLooked = lacking(...tools) === "";
  if (isKernelLooked)
    expect({ pins: pinsOf(fixture.dataFolder), rules: rules(), addresses: addresses() }).toEqual(nothing);
  rmSync(`${fixture.dataFolder}.cni`, { recursive: true, force: true });
});
const fixture = AgentFixture.use(beforeEach, afterEach);
const nothing = { pins: [], rules: [], addresses: [] };

const here = (name: string): string => join(`${fixture.dataFolder}.cni`, name);

/** Rules of this test's groups, whoever has made them. */
function rules(): string[] {
  const saved = execFileSync("iptables-save", ["-t", "nat"], { encoding: "utf8" });
  return saved.split("\n").filter((line) => line.includes(`muster-${ownerOf(fixture.dataFolder)}`));
}

/** Addresses that host-local has given away. */
function addresses(): string[] {
  const folder = here("ipam/web");
  return existsSync(folder) ? readdirSync(folder).filter((name) => /^\d/.test(name)) : [];
}

/** Folders of their own for networks and plugins; programs are written there under these names. */
function prepare(programs: Record<string, string> = {}, pluginTimeoutMs = 20_000) {
  for (const name of ["net.d", "bin", "ipam"]) mkdirSync(here(name), { recursive: true });
  for (const [name, program] of Object.entries(programs)) {
    writeFileSync(here(`bin/${name}`), `#!/bin/sh\necho "$CNI_COMMAND" >> ${here("calls")}\n${program}\n`);
    chmodSync(here(`bin/${name}`), 0o755);
  }
  const { configFolder, pluginFolders } = { configFolder: here("net.d"), pluginFolders: [here("bin"), plugins] };
  return { ...cniDefaults, configFolder, pluginFolders, pluginTimeoutMs };
}

const ptp = () => ({
  type: "ptp",
  ipMasq: true,
  ipam: { type: "host-local", dataDir: here("ipam"), ranges: [[{ subnet: "10.219.0.0/24" }]] },
});
const portmap = { type: "portmap", capabilities: { portMappings: true } };

function writeList(list: readonly object[], cniVersion = "1.0.0", name = "web"): void {
  writeFileSync(here(`net.d/${name}.conflist`), JSON.stringify({ name, cniVersion, plugins: list }));
}

const calls = (): string[] => readFileSync(here("calls"), "utf8").trim().split("\n");

async function agent(settings: ReturnType<typeof prepare>, log = silentLog) {
  return fixture.agentWithNets(["host", "cni/web"], {}, bridgeDefaults, { cni: settings, log });
}

function launch(taskId: string, to = 8080): void {
  const ports = [{ label: "http", to, number: 0 }];
  fixture.master.launch({ taskId, networkMode: "cni/web", ports, spec: httpServer(8080) });
}

async function failure(taskId: string): Promise<string> {
  await fixture.master.untilState(taskId, TASK_FAILED);
  return statusOf(fixture, taskId)?.message ?? "";
}

async function gone(): Promise<void> {
  await expect
    .poll(() => ({ pins: pinsOf(fixture.dataFolder), rules: rules(), addresses: addresses() }), { timeout: 10_000 })
    .toEqual(nothing);
}

testWith(tools, "a network of plugins: an own address, a port of the host, and the same after a restart", async () => {
  const settings = prepare();
  writeList([ptp(), portmap]);
  const first = await agent(settings);
  launch("web");
  await untilListening(fixture, "web");
  const { pid, ips } = statusOf(fixture, "web")?.container ?? {};
  expect(ips).toEqual(["10.219.0.2"]);
  expect(await get(`10.219.0.2:8080`)).toBe(`200 ${pid}`);
  const port = portOf(fixture, "web").number;
  expect(await get(`127.0.0.1:${port}`)).toBe(`200 ${pid}`);
  await fixture.stop(first, "leave");
  await agent(settings);
  expect(await get(`127.0.0.1:${port}`)).toBe(`200 ${pid}`);
  fixture.master.kill("web", 0);
  await fixture.master.untilState("web", TASK_KILLED);
  await gone();
});

testWith(tools, "case 16: when the last plugin fails, nothing of the others' is left", async () => {
  const settings = prepare({
    last: `echo '{"cniVersion":"1.0.0","code":7,"msg":"no","details":"never"}'; [ "$CNI_COMMAND" = DEL ]`,
  });
  writeList([ptp(), portmap, { type: "last" }]);
  await agent(settings);
  launch("web");
  expect(await failure("web")).toMatch(/network cni\/web: .*last ADD: code 7: no: never/);
  await gone();
  expect(calls()).toEqual(["ADD", "DEL"]);
});

testWith(tools, "case 20: a namespace that is gone before its group frees address and rules all the same", async () => {
  const settings = prepare();
  writeList([ptp(), portmap]);
  await agent(settings);
  launch("web");
  await untilListening(fixture, "web");
  const [pin = ""] = pinsOf(fixture.dataFolder);
  expect([rules().length > 0, addresses()]).toEqual([true, ["10.219.0.2"]]);
  execFileSync("ip", ["netns", "del", pin]);
  fixture.master.kill("web", 0);
  await fixture.master.untilState("web", TASK_KILLED);
  await gone();
});

testWith(
  tools,
  "case 21: a plugin that is missing at the end keeps no task from ending, is told, and is tried again",
  async () => {
    const settings = prepare({ extra: `[ "$CNI_COMMAND" = DEL ] || sed 's/.*"prevResult"://; s/}$//'` });
    writeList([ptp(), { type: "extra" }]);
    const told: string[] = [];
    const log = {
      ...silentLog,
      warn: (fields: { error?: unknown }, text: string) => void told.push(`${text}: ${fields.error}`),
    };
    await agent(settings, log as typeof silentLog);
    launch("web");
    await untilListening(fixture, "web");
    renameSync(here("bin/extra"), here("kept"));
    fixture.master.kill("web", 0);
    await fixture.master.untilState("web", TASK_KILLED);
    await expect.poll(() => told.join()).toMatch(/could not be removed: .*plugin extra was not found/);
    renameSync(here("kept"), here("bin/extra"));
    await expect.poll(() => pinsOf(fixture.dataFolder), { timeout: 8_000 }).toEqual([]);
    expect(calls()).toEqual(["ADD", "DEL"]);
  },
);

testWith(
  tools,
  "case 36: a configuration that was changed does not matter to the end of what it has made",
  async () => {
    const settings = prepare();
    writeList([ptp(), portmap]);
    await agent(settings);
    launch("web");
    await untilListening(fixture, "web");
    writeList([{ type: "nobody-has-this" }]);
    fixture.master.kill("web", 0);
    await fixture.master.untilState("web", TASK_KILLED);
    await gone();
  },
);

testWith(
  tools,
  "case 37: a network that is no longer configured is refused with the names of those that are",
  async () => {
    const settings = prepare();
    writeList([ptp()]);
    writeList([ptp()], "1.0.0", "other");
    await agent(settings);
    rmSync(here("net.d/web.conflist"));
    launch("web");
    expect(await failure("web")).toMatch(/has no CNI network "web": it has other$/);
    await gone();
  },
);

testWith(tools, "case 38: a plugin that prints ten megabytes is killed at its limit", async () => {
  const settings = prepare({ loud: `[ "$CNI_COMMAND" = DEL ] || head -c 10000000 /dev/zero` });
  writeList([{ type: "loud" }]);
  await agent(settings);
  const before = process.memoryUsage.rss();
  launch("web");
  expect(await failure("web")).toMatch(/loud ADD: it printed more than 1048576 bytes; it was killed/);
  expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1024 * 1024);
});

testWith(
  tools,
  "case 39: a plugin that hangs is killed at its deadline with its children, and DEL is run",
  async () => {
    const settings = prepare(
      { slow: `[ "$CNI_COMMAND" = DEL ] && exit; sleep 987 & echo $! > ${"$0"}.child; wait` },
      500,
    );
    writeList([{ type: "slow" }]);
    await agent(settings);
    launch("web");
    expect(await failure("web")).toMatch(/slow ADD: no end within 500 ms; it was killed/);
    expect(calls()).toEqual(["ADD", "DEL"]);
    const child = Number(readFileSync(here("bin/slow.child"), "utf8"));
    await expect.poll(() => isRunning(child)).toBe(false);
  },
);

testWith(tools, "half a result is refused, and taken away", async () => {
  const settings = prepare({
    half: `[ "$CNI_COMMAND" = DEL ] || echo '{"cniVersion":"1.0.0","ips":[{"address":"10.2'`,
  });
  writeList([{ type: "half" }]);
  await agent(settings);
  launch("web");
  expect(await failure("web")).toMatch(/result of plugin half: is not JSON/);
  expect(calls()).toEqual(["ADD", "DEL"]);
});

test("case 40: a network whose plugin says that it is not able is not offered, and the reason is shown", async () => {
  const versions = `[ "$CNI_COMMAND" = VERSION ] && echo '{"cniVersion":"1.1.0","supportedVersions":["1.0.0","1.1.0"]}' && exit`;
  const able = `${versions}; [ "$CNI_COMMAND" != STATUS ] || { [ -e ${here("able")} ] || { echo '{"cniVersion":"1.1.0","code":50,"msg":"no daemon"}'; exit 1; }; }`;
  const settings = prepare({ picky: able });
  writeList([{ type: "picky" }], "1.1.0");
  const { modes, unavailable } = await findCniNetworks(settings);
  expect(modes).toEqual([]);
  expect(unavailable).toEqual([
    {
      name: "network/cni/web",
      reason: expect.stringMatching(/^not available now: .*picky STATUS: code 50: no daemon$/),
    },
  ]);
  writeFileSync(here("able"), "");
  expect((await findCniNetworks(settings)).modes).toEqual(["cni/web"]);
  // Older plugins do not know the verb.
  rmSync(here("able"));
  writeList([{ type: "picky" }], "1.0.0");
  expect((await findCniNetworks(settings)).modes).toEqual(["cni/web"]);
});

testWith(tools, "the fingerprint offers what can be made, and says what a network lacks", async () => {
  const settings = prepare();
  writeList([ptp(), portmap]);
  writeList([{ type: "nobody-has-this" }], "1.0.0", "poor");
  writeFileSync(here("net.d/broken.conf"), "{");
  const found = await findNetworkModes(ownerOf(fixture.dataFolder), bridgeDefaults, settings);
  expect(found.modes).toContain("cni/web");
  // The bridge has attributes of its own.
  expect(Object.keys(found.attributes).filter((name) => name.includes("cni"))).toEqual([
    "plugins.cni.version.ptp",
    "plugins.cni.version.portmap",
    "network.cni.web.ports",
  ]);
  expect(found.attributes["network.cni.web.ports"]).toBe("true");
  const reasons = found.unavailable.map(({ name, reason }) => `${name}: ${reason}`).join("\n");
  expect(reasons).toMatch(/network\/cni\/poor: plugin nobody-has-this was not found .*apt-get install/);
  expect(reasons).toMatch(/network\/cni\/broken.conf: .*is not JSON/);
});

testWith(tools, "case 41: plan warns of ports in a network whose configuration has no portmap", async () => {
  const settings = prepare();
  const text = `job "j" {
    group "front" {
      network {
        mode = "cni/web"
        port "http" { to = 80 }
      }
      task "t" {
        driver = "process"
        config { command = "serve" }
      }
    }
  }`;
  const { job } = compileJob({ file: "j.hcl", text });
  const warnings = async (...plugins: object[]): Promise<string[]> => {
    writeList(plugins);
    const { modes, attributes } = await findCniNetworks(settings);
    const agent = { name: "here", networkModes: modes, attributes: new Map(Object.entries(attributes)) };
    return job ? networkWarnings(job, [agent]) : [];
  };
  expect(await warnings(ptp())).toEqual([
    expect.stringMatching(/ports http: no plugin of network cni\/web takes ports on here/),
  ]);
  expect(await warnings(ptp(), portmap)).toEqual([]);
});

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

testWith(tools, "mode bridge by plugins: both addresses and a port of the host, also after a restart", async () => {
  const settings = { ...prepare(), pluginFolders: [plugins] };
  const bridge = { ...bridgeSettings, driver: "cni" as const };
  const start = () => fixture.agentWithNets(["host", "bridge"], {}, bridge, { cni: settings });
  const first = await start();
  const port = await launchServer(fixture, "web");
  const { pid, ips } = statusOf(fixture, "web")?.container ?? {};
  expect(ips).toEqual(firstIps);
  for (const place of [`127.0.0.1:${port}`, `${firstIps[0]}:8080`, `[${firstIps[1]}]:8080`])
    expect(await get(place)).toBe(`200 ${pid}`);
  await fixture.stop(first, "leave");
  const second = await start();
  expect(await get(`127.0.0.1:${port}`)).toBe(`200 ${pid}`);
  fixture.master.kill("web", 0);
  await fixture.master.untilState("web", TaskState.TASK_KILLED);
  await gone();
  await fixture.stop(second, "leave");
  const addresses = join(fixture.dataFolder, "networks/bridge-addresses", bridgeOf(fixture.dataFolder));
  expect(existsSync(`/sys/class/net/${bridgeOf(fixture.dataFolder)}`)).toBe(false);
  expect(readdirSync(addresses).filter((name) => /^[0-9a-f]+[.:]/.test(name))).toEqual([]);
});

testWith(
  ["ip"],
  "at its start an agent tells the plugins of networks that it owns alone what is valid there, and no others",
  async () => {
    const program = (name: string): string => `case "$CNI_COMMAND" in
VERSION) echo '{"cniVersion":"1.1.0","supportedVersions":["1.0.0","1.1.0"]}';;
ADD) cat > ${here(`${name}.add`)}; echo '{"cniVersion":"1.1.0","ips":[]}';;
GC) cat > ${here(`${name}.gc`)};;
esac`;
    const old = `case "$CNI_COMMAND" in
VERSION) echo '{"cniVersion":"1.1.0","supportedVersions":["1.1.0"]}';; ADD) echo '{"cniVersion":"1.1.0","ips":[]}';; esac`;
    const settings = {
      ...prepare({ own: program("own"), other: program("other"), old }),
      ownedNetworks: ["web", "off"],
    };
    writeList([{ type: "own", size: 3 }], "1.1.0");
    writeList([{ type: "other" }], "1.1.0", "shared");
    writeFileSync(
      here("net.d/off.conflist"),
      JSON.stringify({ name: "off", cniVersion: "1.1.0", disableGC: true, plugins: [{ type: "other" }] }),
    );
    const start = () => fixture.agentWithNets(["host", "cni/web", "cni/shared"], {}, bridgeDefaults, { cni: settings });
    const first = await start();
    const gc = (name: string) => JSON.parse(readFileSync(here(`${name}.gc`), "utf8"));
    await expect.poll(() => existsSync(here("own.gc"))).toBe(true);
    await expect.poll(() => gc("own")["cni.dev/valid-attachments"]).toEqual([]);
    const spec = { command: "sleep", arguments: ["600"] };
    fixture.master.launch(
      { taskId: "a", networkMode: "cni/web", spec },
      { taskId: "b", networkMode: "cni/shared", moreNetworks: [{ mode: "cni/web" }], spec },
      { taskId: "c", networkMode: "cni/shared", spec },
    );
    for (const taskId of ["a", "b", "c"]) await fixture.master.untilState(taskId, TaskState.TASK_RUNNING);
    await fixture.stop(first, "leave");
    await start();
    const keyOf = (taskId: string): string => statusOf(fixture, taskId)?.updateId.split(".")[0] ?? "";
    const nameOf = (taskId: string): string => `muster-${ownerOf(fixture.dataFolder)}-${keyOf(taskId)}`;
    await expect.poll(() => gc("own")["cni.dev/valid-attachments"]).toHaveLength(2);
    expect(gc("own")).toMatchObject({ name: "web", cniVersion: "1.1.0", type: "own", size: 3 });
    expect(new Set(gc("own")["cni.dev/valid-attachments"])).toEqual(
      new Set([
        { containerID: nameOf("a"), ifname: "eth0" },
        { containerID: nameOf("b"), ifname: "eth1" },
      ]),
    );
    expect(existsSync(here("other.gc"))).toBe(false);
    for (const taskId of ["a", "b", "c"]) fixture.master.kill(taskId, 0);
    for (const taskId of ["a", "b", "c"]) await fixture.master.untilState(taskId, TASK_KILLED);
    await expect.poll(() => pinsOf(fixture.dataFolder), { timeout: 10_000 }).toEqual([]);
  },
);
