import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { type AssignedPort, type TaskSpec, TaskState, type TaskStatus } from "@muster/proto";
import { expect } from "vitest";
import type { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { type BridgeSettings, bridgeDefaults } from "../../executors/src/networks/bridge/settings.ts";
import { ownerOf } from "../../executors/src/networks/kernel/namespaces.ts";
import { shaperGroup, shaperPrefix } from "../../executors/src/networks/limits/limits.ts";

export const tools = ["ip", "nft", "curl"];
export const modes = ["host", "bridge", "none"] as const;
/** The same tests may run twice at once on this machine: each run has subnets and ports of its own. */
const run = process.pid % 1_000;
const prefix = `10.${150 + (run >> 4)}.${16 * (run & 15)}`;
const prefix6 = `fd78:217:${run.toString(16)}:`;
export const settings: BridgeSettings = { ...bridgeDefaults, subnet: `${prefix}.0/20`, subnet6: `${prefix6}:/64` };
export const gateway = `${prefix}.1`;
export const gateway6 = `${prefix6}:1`;
/** Addresses of the first group. */
export const firstIps = [`${prefix}.2`, `${prefix6}:2`];
/** A network beside, and its prefixes for IPv4 and IPv6: this machine is 1, the other 2. */
export const beside = { prefix: `10.${220 + (run >> 6)}.${run & 63}`, prefix6: `fd78:218:${run.toString(16)}:` };
/** Below what agents and the kernel give away. */
export const portFirst = 10_000 + run * 9;

export const bridgeOf = (dataFolder: string): string => `mb${ownerOf(dataFolder)}`;
export const tableOf = (dataFolder: string): string => `muster_${ownerOf(dataFolder)}`;

/** What there is on this machine of an agent's networks, in a form that can be compared. */
export function machineState(dataFolder: string) {
  const owner = ownerOf(dataFolder);
  const bridge = bridgeOf(dataFolder);
  // Overlay networks have tables of their own, whose names begin with the bridge's.
  const table = nft("list", "tables")
    .split("\n")
    .includes(`table inet ${tableOf(dataFolder)}`);
  return {
    pins: pinsOf(dataFolder),
    links: namesIn("/sys/class/net").filter((name) => name === bridge || hangsOn(name, bridge)),
    elements: table ? elements(dataFolder) : undefined,
    limits: limitsOf(owner),
    sockets: namesIn("/run").filter((name) => name.startsWith("muster") && name.includes(owner)),
    processes: namesIn("/proc").filter((pid) => /^\d+$/.test(pid) && commandOf(pid).includes(`muster-ports-${owner}`)),
  };
}

/** As before the first group, and a while after the last. */
const noLimits = { shapers: [], table: false, groups: [] };
export const nothing = { pins: [], links: [], elements: undefined, limits: noLimits, sockets: [], processes: [] };

/** What bounds networks of groups: links that carry what they send, and their chains in a table of their own. */
function limitsOf(owner: string) {
  const name = `muster_limits_${owner}`;
  const table = nft("list", "tables").includes(`inet ${name}`);
  const chains = table ? nft("list", "table", "inet", name).matchAll(/chain (group-\S+)/g) : [];
  const isOwn = (link: string): boolean =>
    link.startsWith(shaperPrefix) && linkGroup(link) === String(shaperGroup(owner));
  const shapers = namesIn("/sys/class/net").filter(isOwn);
  return { shapers, table, groups: [...chains].map(([, chain = ""]) => chain) };
}

/**
 * Has each test of a file leave nothing on the machine. Named before the fixture, it looks after the agent is gone. What a
 * test pushes is done then, the last first.
 */
export function leavesNothing(
  afterEach: (act: () => void) => void,
  fixture: () => Pick<AgentFixture, "dataFolder" | "warnings">,
): (() => void)[] {
  const undoing: (() => void)[] = [];
  afterEach(() => {
    for (const undo of undoing.splice(0).reverse()) undo();
    const { dataFolder, warnings } = fixture();
    expect(machineState(dataFolder), warnings.join("\n")).toEqual(nothing);
  });
  return undoing;
}

export function pinsOf(dataFolder: string): string[] {
  return namesIn("/run/netns").filter((name) => name.startsWith(`muster-${ownerOf(dataFolder)}`));
}

/** The ports that lead to groups, as "tcp . 20000". */
export function elements(dataFolder: string): string[] {
  const listed = JSON.parse(nft("-j", "list", "table", "inet", tableOf(dataFolder))) as {
    nftables: { map?: { elem?: [{ concat: unknown[] }, unknown][] } }[];
  };
  return listed.nftables.flatMap(({ map }) => (map?.elem ?? []).map(([key]) => key.concat.join(" . ")));
}

export function nft(...words: string[]): string {
  return execFileSync("nft", words, { encoding: "utf8" });
}

/** Runs a program in a namespace; gives its output, or "exit N". */
export function inside(pin: string, ...words: string[]): string {
  const { status, stdout } = spawnSync("nsenter", [`--net=/run/netns/${pin}`, ...words], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : `exit ${status}`;
}

/** What curl gets from an address, or "exit 7" if it is refused. */
export function curl(pin: string, address: string): string {
  return inside(pin, "curl", "-gsS", "--max-time", "3", `http://${address}/`);
}

export async function get(address: string): Promise<string> {
  const answer = await fetch(`http://${address}/`, { signal: AbortSignal.timeout(3_000) });
  return `${answer.status} ${await answer.text()}`;
}

/** A server on all addresses that answers each request with its process's id. */
export function httpServer(port: number): Partial<TaskSpec> {
  const program = `
    use IO::Socket::IP;
    $| = 1;
    my $server = IO::Socket::IP->new(LocalHost => "::", LocalPort => ${port}, Listen => 64, V6Only => 0, ReuseAddr => 1)
      or die "listen: $@";
    print "listens\\n";
    while (my $client = $server->accept) {
      while (<$client>) { last if /^\\r?$/ }
      print $client "HTTP/1.0 200 OK\\r\\ncontent-length: " . length($$) . "\\r\\n\\r\\n$$";
      close $client;
    }`;
  return { command: "perl", arguments: ["-e", program] };
}

/** Launches one server, and gives the port of the host that leads to it once it listens. */
export async function launchServer(fixture: AgentFixture, taskId: string, number = 0): Promise<number> {
  const ports = [{ label: "http", to: 8080, number }];
  fixture.master.launch({ taskId, networkMode: "bridge", ports, spec: httpServer(8080) });
  await untilListening(fixture, taskId);
  return portOf(fixture, taskId).number;
}

export async function untilListening(fixture: AgentFixture, taskId: string): Promise<void> {
  await fixture.master.untilState(taskId, TaskState.TASK_RUNNING);
  await expect.poll(() => fixture.outputOf(taskId), { timeout: 10_000 }).toContain("listens\n");
}

export function statusOf(fixture: AgentFixture, taskId: string): TaskStatus | undefined {
  return fixture.master.of(taskId).at(-1);
}

export function portOf(fixture: AgentFixture, taskId: string): AssignedPort {
  return statusOf(fixture, taskId)?.container?.ports[0] as AssignedPort;
}

function linkGroup(link: string): string {
  try {
    return readFileSync(`/sys/class/net/${link}/netdev_group`, "utf8").trim();
  } catch {
    return "";
  }
}

function hangsOn(link: string, bridge: string): boolean {
  return namesIn(`/sys/class/net/${bridge}/brif`).includes(link);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}
