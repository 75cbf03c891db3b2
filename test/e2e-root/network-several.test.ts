import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { cniDefaults } from "../../executors/src/networks/cni/settings.ts";
import { ownerOf } from "../../executors/src/networks/kernel/namespaces.ts";
import {
  firstIps,
  get,
  httpServer,
  inside,
  leavesNothing,
  pinsOf,
  settings,
  statusOf,
  untilListening,
} from "./bridge.support.ts";
import { testWith } from "./machine.ts";
import { aSubnet, blue, type Host, Lan, tools as overlayTools } from "./overlay.support.ts";

const undoing = leavesNothing(afterEach, () => fixture);
const fixture = AgentFixture.use(beforeEach, afterEach);
const lan = Lan.use(afterEach);
const tools = ["ip", "nft", "curl", "iptables"];
const { TASK_KILLED, TASK_FAILED } = TaskState;

const here = (name: string): string => join(`${fixture.dataFolder}.cni`, name);
/** Addresses that host-local has given away in a network. */
const taken = (name: string): string[] =>
  existsSync(here(`ipam/${name}`)) ? readdirSync(here(`ipam/${name}`)).filter((each) => /^\d/.test(each)) : [];
const rules = (): number => {
  const saved = execFileSync("iptables-save", ["-t", "nat"], { encoding: "utf8" });
  return saved.split("\n").filter((line) => line.includes(`muster-${ownerOf(fixture.dataFolder)}`)).length;
};

/** A network of the reference plugins with addresses of that range, whose way out is `hasWayOut`. */
function cniNetwork(name: string, subnet: string, hasWayOut: boolean): void {
  for (const folder of ["net.d", "ipam"]) mkdirSync(here(folder), { recursive: true });
  undoing.push(() => rmSync(`${fixture.dataFolder}.cni`, { recursive: true, force: true }));
  const routes = hasWayOut ? [{ dst: "0.0.0.0/0" }] : [];
  const ipam = { type: "host-local", dataDir: here("ipam"), ranges: [[{ subnet }]], routes };
  const plugins = [
    { type: "ptp", ipMasq: true, ipam },
    { type: "portmap", capabilities: { portMappings: true } },
  ];
  writeFileSync(here(`net.d/${name}.conflist`), JSON.stringify({ name, cniVersion: "1.0.0", plugins }));
}

function agent() {
  const cni = { ...cniDefaults, configFolder: here("net.d"), pluginFolders: ["/usr/lib/cni"] };
  return fixture.agentWithNets(["host", "bridge", "cni/web", "cni/store"], {}, settings, { cni });
}

/** Where packets of a group go that are for everybody else, as "via eth0". */
function waysOut(pin: string): string[] {
  return inside(pin, "ip", "route", "show", "default")
    .split("\n")
    .map((line) => / dev (\S+)/.exec(line)?.[1] ?? "");
}

testWith(
  tools,
  "a group in three networks: links in order, one way out, ports in each, the same after a restart",
  async () => {
    cniNetwork("web", "10.219.1.0/24", true);
    cniNetwork("store", "10.219.2.0/24", true);
    const first = await agent();
    const ports = [
      { label: "http", to: 8080 },
      { label: "web", to: 8080, network: 1 },
    ];
    const moreNetworks = [{ mode: "cni/web" }, { mode: "cni/store" }];
    fixture.master.launch({ taskId: "t", networkMode: "bridge", moreNetworks, ports, spec: httpServer(8080) });
    await untilListening(fixture, "t");
    const { pid, ips, ports: assigned = [], networks } = statusOf(fixture, "t")?.container ?? {};
    expect(ips).toEqual(firstIps);
    expect(networks).toEqual([
      { mode: "bridge", link: "eth0", ips: firstIps },
      { mode: "cni/web", link: "eth1", ips: ["10.219.1.2"] },
      { mode: "cni/store", link: "eth2", ips: ["10.219.2.2"] },
    ]);
    const [pin = ""] = pinsOf(fixture.dataFolder);
    expect(waysOut(pin)).toEqual(["eth0"]);
    const answers = async () =>
      Promise.all([...assigned.map(({ number }) => get(`127.0.0.1:${number}`)), get("10.219.2.2:8080")]);
    expect(await answers()).toEqual([1, 2, 3].map(() => `200 ${pid}`));
    await fixture.stop(first, "leave");
    await agent();
    expect(await answers()).toEqual([1, 2, 3].map(() => `200 ${pid}`));
    expect(waysOut(pin)).toEqual(["eth0"]);
    fixture.master.kill("t", 0);
    await fixture.master.untilState("t", TASK_KILLED);
    await expect
      .poll(() => [pinsOf(fixture.dataFolder), taken("web"), taken("store"), rules()], { timeout: 10_000 })
      .toEqual([[], [], [], 0]);
  },
);

testWith(tools, "when the last of several networks can't be made, nothing of the others is left", async () => {
  cniNetwork("web", "10.219.1.0/24", true);
  cniNetwork("store", "10.219.2.0/24", true);
  await agent();
  rmSync(here("net.d/store.conflist"));
  const moreNetworks = [{ mode: "bridge" }, { mode: "cni/store" }];
  fixture.master.launch({ taskId: "t", networkMode: "cni/web", moreNetworks, spec: httpServer(8080) });
  await fixture.master.untilState("t", TASK_FAILED);
  expect(statusOf(fixture, "t")?.message).toMatch(/network cni\/web \+ bridge \+ cni\/store: .*no CNI network "store"/);
  await expect
    .poll(() => [pinsOf(fixture.dataFolder), taken("web"), rules()], { timeout: 10_000 })
    .toEqual([[], [], 0]);
});

testWith(
  [...overlayTools, "curl"],
  "an answer leaves by the network that was asked: overlay first, a port of the bridge beside it",
  async () => {
    const [one, two] = [lan.host(), lan.host()];
    await Promise.all([one.start(), two.start()]);
    await one.join(1, [aSubnet(2, two.agentId, two.ip)]);
    await two.join(2, [aSubnet(1, one.agentId, one.ip)]);
    await launchBoth(one, "serves");
    await launchBoth(two, "asks");
    const { pid, ports = [], networks = [] } = one.statusOf("serves")?.container ?? {};
    expect(networks.map(({ mode, link }) => `${link} ${mode}`)).toEqual(["eth0 overlay/blue", "eth1 bridge"]);
    const ask = (address: string): string => two.run("curl", "-gsS", "--max-time", "3", `http://${address}/`);
    // From another host, whose address is behind the way out of the first network.
    expect(ask(`${one.ip}:${ports[0]?.number}`)).toBe(String(pid));
    expect(two.inTask("asks", "curl", "-gsS", "--max-time", "3", "http://10.244.1.2:8080/")).toBe(String(pid));
    expect(one.inTask("serves", "ip", "route", "show", "default")).toMatch(/^default via 10\.244\.1\.1 dev eth0\s*$/);
    // The other way about: the overlay network is reached by its link, although the way out is another.
    one.master.launch({
      taskId: "reverse",
      networkMode: "bridge",
      moreNetworks: [{ mode: "overlay/blue" }],
      spec: httpServer(8080),
    });
    await one.master.untilState("reverse", TaskState.TASK_RUNNING);
    expect(one.inTask("reverse", "ip", "route", "get", "10.244.2.2")).toContain("dev eth1");
    expect(one.inTask("reverse", "curl", "-gsS", "--max-time", "3", "http://10.244.2.2:8080/")).toMatch(/^\d+$/);
    for (const taskId of ["serves", "reverse"]) {
      one.master.kill(taskId, 0);
      await one.master.untilState(taskId, TASK_KILLED);
    }
    await expect
      .poll(() => one.run("ip", "-br", "link", "show", "type", "veth").match(/\b(mw|mv)\w+/g), { timeout: 10_000 })
      .toBeNull();
  },
);

async function launchBoth(host: Host, taskId: string): Promise<void> {
  const ports = [{ label: "http", to: 8080, network: 1 }];
  const moreNetworks = [{ mode: "bridge" }];
  const networkMode = `overlay/${blue.name}`;
  host.master.launch({ taskId, networkMode, moreNetworks, ports, spec: httpServer(8080) });
  await host.master.untilState(taskId, TaskState.TASK_RUNNING);
  await expect.poll(() => host.outputOf(taskId), { timeout: 10_000 }).toContain("listens\n");
}
