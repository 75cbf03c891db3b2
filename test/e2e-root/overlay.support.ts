import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { emptyMessage } from "@muster/foundation";
import type { OverlayChange, OverlayNetwork, OverlaySubnet, TaskStatus } from "@muster/proto";
import { expect } from "vitest";
import { ScriptedMaster } from "../../executors/src/agent/scripted-master.test.support.ts";

export const tools = ["ip", "bridge", "nft", "nsenter", "unshare"];
/** The same tests may run twice at once on this machine: each run has addresses of its own. */
const run = process.pid % 1_000;
export const muster = join(import.meta.dirname, "..", "..", "cli", "bin", "muster.js");

/** Overlay networks are inside the hosts' namespaces alone, and may have the same addresses in each run. */
export const blue: OverlayNetwork = {
  name: "blue",
  cidr: "10.244.0.0/16",
  cidr6: "fd44::/48",
  subnetPrefix: 24,
  backend: "vxlan",
  vni: 7,
  port: 4789,
  directRouting: false,
};

/** The subnet with that number, of an agent of that id. */
export function aSubnet(index: number, agentId: string, underlayIp: string, underlayIp6 = ""): OverlaySubnet {
  const subnet6 = `fd44:0:0:${index.toString(16)}::/64`;
  return { network: "blue", agentId, subnet: `10.244.${index}.0/24`, subnet6, underlayIp, underlayIp6 };
}

export function news(...changes: Partial<OverlayChange>[]): { overlayChanges: OverlayChange[] } {
  return { overlayChanges: changes.map((change) => ({ ...emptyMessage("OverlayChange"), ...change })) };
}

/** Machines on one link: namespaces, joined by a bridge on which this process is, too. */
export class Lan {
  readonly bridge: string;
  readonly ip: string;
  readonly prefix: string;
  readonly #hosts: Host[] = [];
  #isUp = false;

  constructor(number: number) {
    this.bridge = `mu${process.pid}n${number}`;
    this.prefix = `10.${240 - number * 4 + (run >> 8)}.${run & 255}`;
    this.ip = `${this.prefix}.254`;
  }

  /** Is taken down with all machines by that hook. A file may have several, of different numbers. */
  static use(hook: (act: () => Promise<void>) => void, number = 0): Lan {
    const lan = new Lan(number);
    hook(() => lan.#down());
    return lan;
  }

  /** Another machine; nothing runs on it yet. */
  host(): Host {
    this.#up();
    const host = new Host(this, this.#hosts.length + 1);
    this.#hosts.push(host);
    host.build();
    return host;
  }

  #up(): void {
    if (this.#isUp) return;
    this.#isUp = true;
    ip("link", "add", this.bridge, "type", "bridge");
    ip("addr", "add", `${this.ip}/24`, "dev", this.bridge);
    ip("link", "set", this.bridge, "up");
  }

  async #down(): Promise<void> {
    for (const host of this.#hosts.splice(0)) await host.end();
    if (this.#isUp) spawnSync("ip", ["link", "del", this.bridge]);
    this.#isUp = false;
  }
}

/** The kernel takes a while to remove a machine's cable after the machine: each has another name. */
let cableCount = 0;

/** A machine with an agent and a master of its own, which says what the test wants. */
export class Host {
  readonly namespace: string;
  readonly ip: string;
  readonly ip6: string;
  /** Of this process's end of the machine's cable. */
  readonly cable: string;
  readonly dataFolder = mkdtempSync(join(tmpdir(), "muster-overlay-"));
  readonly master = new ScriptedMaster();
  readonly #lan: Lan;
  readonly #index: number;
  #agent: ChildProcess | undefined;
  #isListening = false;
  #log = "";

  constructor(lan: Lan, index: number) {
    this.#lan = lan;
    this.#index = index;
    this.namespace = `muster-overlay-${lan.bridge}-${index}`;
    this.ip = `${lan.prefix}.${index}`;
    this.ip6 = `fd99::${index}`;
    this.cable = `mu${process.pid}x${++cableCount}`;
  }

  build(): void {
    const link = this.cable;
    ip("netns", "add", this.namespace);
    ip("link", "add", link, "type", "veth", "peer", "name", "up0", "netns", this.namespace);
    ip("link", "set", link, "master", this.#lan.bridge, "up");
    this.run("ip", "link", "set", "lo", "up");
    this.run("ip", "addr", "add", `${this.ip}/24`, "dev", "up0");
    // The first second and a half of a new link, in which it looks for doubles of its addresses, is not waited for.
    this.run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/up0/accept_dad");
    this.run("ip", "addr", "add", `${this.ip6}/64`, "dev", "up0", "nodad");
    this.run("ip", "link", "set", "up0", "up");
    this.run("ip", "route", "add", "default", "via", this.#lan.ip);
  }

  /** Starts the machine's agent, and waits until its master has registered it. `master`: another than its own. */
  async start(master?: string): Promise<void> {
    if (!this.#isListening && master === undefined) {
      this.#isListening = true;
      await this.master.start(`${this.#lan.ip}:0`);
    }
    const before = this.master.registrations;
    const program = [
      process.execPath,
      muster,
      ...["daemon", "agent", "--data-dir", this.dataFolder, "--name", `host-${this.#index}`],
      ...["--listen", `${this.ip}:5051`, "--ip", this.ip, "--master", master ?? this.master.address],
      ...["--shutdown-grace-ms", "200"],
    ];
    // The kernel's view of links belongs to whoever has mounted it: the agent needs that of its machine.
    const script = 'mount -t sysfs sysfs /sys && exec "$@"';
    const words = [`--net=/run/netns/${this.namespace}`, "unshare", "-m", "sh", "-c", script, "sh", ...program];
    const agent = spawn("nsenter", words, { stdio: ["ignore", "ignore", "pipe"] });
    agent.stderr?.setEncoding("utf8").on("data", (text) => {
      this.#log = (this.#log + text).slice(-20_000);
    });
    this.#agent = agent;
    if (master !== undefined) return;
    await this.master
      .until(() => this.master.registrations > before, "registration", 20_000)
      .catch((error) => {
        throw new Error(`${error.message}\n${this.#log}`);
      });
  }

  get agentId(): string {
    return this.master.requests.findLast(({ registration }) => registration)?.registration?.agentId ?? "";
  }

  /** What the agent has said of its networks last. */
  get modes(): readonly string[] {
    return this.master.requests.findLast(({ update }) => update?.networks)?.update?.networks?.modes ?? [];
  }

  get unavailable(): readonly string[] {
    const { unavailable = [] } =
      this.master.requests.findLast(({ update }) => update?.networks)?.update?.networks ?? {};
    return unavailable.map(({ name, reason }) => `${name}: ${reason}`);
  }

  /** Tells the agent its own subnet and those of others, and waits until it can be used. */
  async join(index: number, others: readonly OverlaySubnet[] = [], network = blue): Promise<OverlaySubnet> {
    const own = aSubnet(index, this.agentId, this.ip, this.ip6);
    const subnets = [own, ...others].map((subnet) => ({ subnet }));
    this.master.say(news({ network }, ...subnets, { complete: true }));
    await this.untilMode(`overlay/${network.name}`);
    return own;
  }

  async untilMode(mode: string): Promise<void> {
    await this.master
      .until(() => this.modes.includes(mode), `${mode} ready`)
      .catch((error) => {
        throw new Error(`${error.message}; ${this.unavailable.join("; ")}\n${this.#log}`);
      });
  }

  /** Runs a program on the machine; gives its output. */
  run(program: string, ...words: string[]): string {
    return execFileSync("nsenter", [`--net=/run/netns/${this.namespace}`, program, ...words], { encoding: "utf8" });
  }

  /** Ids of the machine's processes of that name. */
  processes(name: string): string[] {
    const pids = linesOf(spawnSync("ip", ["netns", "pids", this.namespace], { encoding: "utf8" }).stdout);
    return pids.filter((pid) => commandOf(pid) === name);
  }

  /** Starts a program on the machine, which ends with it; `listens` comes when it has written something. */
  spawn(program: string, ...words: string[]): { listens: Promise<unknown> } {
    const child = spawn("nsenter", [`--net=/run/netns/${this.namespace}`, program, ...words], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    return { listens: new Promise((resolve) => child.stdout.once("data", resolve)) };
  }

  /** Runs a program in the network of a task; gives its output, or "exit N" with what it said. */
  inTask(taskId: string, program: string, ...words: string[]): string {
    const { pid = 0 } = this.statusOf(taskId)?.container ?? {};
    const { status, stdout, stderr } = spawnSync("nsenter", ["-t", String(pid), "-n", program, ...words], {
      encoding: "utf8",
    });
    return status === 0 ? stdout.trim() : `exit ${status}: ${stderr.trim()}`;
  }

  statusOf(taskId: string): TaskStatus | undefined {
    return this.master.of(taskId).at(-1);
  }

  ipsOf(taskId: string): readonly string[] {
    return this.statusOf(taskId)?.container?.ips ?? [];
  }

  /** Names of the links that agents make for overlay networks. */
  links(kind: "device" | "bridge"): string[] {
    const all = JSON.parse(this.run("ip", "-j", "link", "show")) as { ifname: string }[];
    return all.map(({ ifname }) => ifname).filter((name) => name.startsWith(kind === "device" ? "mo" : "mp"));
  }

  /** What the kernel knows of peers, in words and their order. */
  entries(): string[] {
    const [device = ""] = this.links("device");
    const routes = ["-4", "-6"].map((family) => this.run("ip", family, "route", "show", "proto", "157"));
    if (device === "") return linesOf(routes.join("\n")).sort();
    const neighbours = this.run("ip", "neigh", "show", "dev", device, "nud", "permanent");
    const forwards = linesOf(this.run("bridge", "fdb", "show", "dev", device)).filter((line) => line.includes(" dst "));
    return [...linesOf(routes.join("\n")), ...linesOf(neighbours), ...forwards].sort();
  }

  /** What a task has written to its standard output so far. */
  outputOf(taskId: string): string {
    const tasks = join(this.dataFolder, "tasks");
    for (const group of readdirSync(tasks))
      for (const index of readdirSync(join(tasks, group)).filter((name) => /^\d+$/.test(name)))
        if (readFileSync(join(tasks, group, index, "state"), "latin1").includes(`"taskId":"${taskId}"`))
          return readFileSync(join(tasks, group, index, "logs", "stdout.0"), "utf8");
    throw new Error(`no task ${taskId}`);
  }

  /** Ends the agent: SIGTERM takes its tasks along, SIGKILL leaves them. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const agent = this.#agent;
    this.#agent = undefined;
    if (!agent || agent.exitCode !== null || agent.signalCode !== null) return;
    const ended = new Promise((resolve) => agent.once("exit", resolve));
    agent.kill(signal);
    await ended;
  }

  async end(): Promise<void> {
    await this.stop("SIGTERM");
    await this.master.stop();
    for (const pid of linesOf(spawnSync("ip", ["netns", "pids", this.namespace], { encoding: "utf8" }).stdout))
      kill(Number(pid));
    spawnSync("ip", ["netns", "del", this.namespace]);
    rmSync(this.dataFolder, { recursive: true, force: true });
  }
}

/** A server that is to be there until the task is killed: it answers each request with its process's id. */
export async function untilListening(host: Host, taskId: string): Promise<void> {
  await expect.poll(() => outputSoFar(host, taskId), { timeout: 10_000 }).toContain("listens\n");
}

function outputSoFar(host: Host, taskId: string): string {
  try {
    return host.outputOf(taskId);
  } catch {
    return "";
  }
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "";
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}

function ip(...words: string[]): void {
  execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] });
}
