import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@muster/foundation";
import { TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { plainNetwork } from "../../executors/src/agent/core/model.ts";
import { netFolder } from "../../executors/src/agent/folders.ts";
import { hostWorld } from "../../executors/src/host-world.ts";
import type { NetReady, NetSpec, Nets } from "../../executors/src/world/nets.ts";
import {
  bridgeOf,
  curl,
  elements,
  firstIps,
  gateway,
  get,
  launchServer,
  leavesNothing,
  machineState,
  modes,
  nft,
  nothing,
  pinsOf,
  portFirst,
  portOf,
  settings,
  statusOf,
  tableOf,
  tools,
  untilListening,
} from "./bridge.support.ts";
import { testWith } from "./machine.ts";

/** Groups whose network is not wholly taken away. */
function networksLeft(dataFolder: string): string[] {
  return readdirSync(`${dataFolder}/tasks`).filter((group) => existsSync(netFolder(dataFolder, group)));
}

leavesNothing(afterEach, () => fixture);
const fixture = AgentFixture.use(beforeEach, afterEach);
const { TASK_RUNNING, TASK_FAILED, TASK_FINISHED, TASK_KILLED, TASK_DROPPED } = TaskState;
const sleeping = { command: "sleep", arguments: ["1000"] };

/** The networks alone, without an agent. */
class AloneNets {
  readonly nets: Nets;
  readonly #waiting = new Map<string, (answer: NetReady | string) => void>();

  constructor() {
    const { dataFolder } = fixture;
    const world = hostWorld({ dataFolder, clock: systemClock, log: fixture.log, hasNets: true, bridge: settings });
    this.nets = world.nets as Nets;
    this.nets.start({
      ready: (key, ready) => this.#waiting.get(key)?.(ready),
      failed: (key, message) => this.#waiting.get(key)?.(message),
      gone: (key) => this.#waiting.get(key)?.("gone"),
      overlay: () => {},
    });
    this.nets.keep([]);
  }

  /** What comes of it: addresses, or why not. */
  build(spec: NetSpec): Promise<NetReady | string> {
    return this.#answer(spec, () => this.nets.build(spec));
  }

  remove(spec: NetSpec): Promise<NetReady | string> {
    return this.#answer(spec, () => this.nets.remove(spec));
  }

  stop(): Promise<void> {
    return new Promise((resolve) => this.nets.stop(resolve));
  }

  #answer({ key }: NetSpec, act: () => void): Promise<NetReady | string> {
    return new Promise((resolve) => {
      this.#waiting.set(key, resolve);
      act();
    });
  }
}

function aSpec(index: number, number = portFirst + index): NetSpec {
  const network = { ...plainNetwork, hostname: `host-${index}` };
  const port = { label: "http", number, to: 8080, protocol: "", ip: "127.0.0.1" };
  return { key: `k${index}`, mode: "bridge", addressIndex: index, ports: number > 0 ? [port] : [], settings: network };
}

/** Programs of that name fail when they are first run from here. */
function failingOnce(program: string, marker: string): { restore: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "muster-failing-"));
  const path = process.env["PATH"];
  const script = `#!/bin/sh\nPATH=${path}\n[ -e ${marker} ] && exec ${program} "$@"\ntouch ${marker}\nexit 1\n`;
  writeFileSync(join(folder, program), script, { mode: 0o755 });
  process.env["PATH"] = `${folder}:${path}`;
  return {
    restore: () => {
      process.env["PATH"] = path;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

testWith(
  [...tools, "conntrack"],
  "case 11: a UDP client that keeps its port is answered by the task that replaced",
  async () => {
    await fixture.agentWithNets(modes, {}, settings);
    const echo = `
    use IO::Socket::IP;
    $| = 1;
    my $socket = IO::Socket::IP->new(LocalHost => "0.0.0.0", LocalPort => 9000, Proto => "udp") or die "bind: $@";
    print "listens\\n";
    while (defined(my $peer = $socket->recv(my $data, 100))) { $socket->send($$, 0, $peer) }`;
    const launch = async (taskId: string): Promise<string> => {
      const spec = { command: "perl", arguments: ["-e", echo] };
      fixture.master.launch({
        taskId,
        networkMode: "bridge",
        ports: [{ label: "echo", to: 9000, number: portFirst }],
        spec,
      });
      await untilListening(fixture, taskId);
      return String(statusOf(fixture, taskId)?.container?.pid);
    };
    const client = createSocket("udp4");
    const answers: string[] = [];
    client.on("message", (data) => answers.push(String(data)));
    const asking = setInterval(() => client.send("?", portFirst, "127.0.0.1"), 20);
    try {
      const first = await launch("first");
      await expect.poll(() => answers).toContain(first);
      fixture.master.kill("first", 0);
      await fixture.master.untilState("first", TASK_KILLED);
      await expect.poll(() => networksLeft(fixture.dataFolder)).toEqual([]);
      const second = await launch("second");
      await expect.poll(() => answers, { timeout: 1_000, interval: 20 }).toContain(second);
    } finally {
      clearInterval(asking);
      client.close();
    }
  },
);

testWith(tools, "a network that is asked to go goes, also if its agent stops at that moment", async () => {
  const alone = new AloneNets();
  const spec = aSpec(1);
  await alone.build(spec);
  alone.nets.remove(spec);
  await alone.stop();
  expect(machineState(fixture.dataFolder)).toEqual(nothing);
});

testWith(tools, "case 16: a network whose last step fails leaves nothing, and says why", async () => {
  await fixture.agentWithNets(modes, {}, settings);
  await launchServer(fixture, "good");
  const before = machineState(fixture.dataFolder);
  nft(`add element inet ${tableOf(fixture.dataFolder)} hp4 { tcp . ${portFirst} : ${gateway} . 1 }`);
  fixture.master.launch({
    taskId: "bad",
    networkMode: "bridge",
    ports: [{ label: "x", number: portFirst }],
    spec: sleeping,
  });
  await fixture.master.untilState("bad", TASK_FAILED);
  expect(statusOf(fixture, "bad")?.message).toMatch(/network bridge: .*File exists/s);
  nft(`delete element inet ${tableOf(fixture.dataFolder)} hp4 { tcp . ${portFirst} }`);
  await expect.poll(() => machineState(fixture.dataFolder)).toEqual(before);
});

testWith(tools, "case 17: what was made for a group that no record knows is freed at the next start", async () => {
  const alone = new AloneNets();
  expect(await alone.build(aSpec(1))).toMatchObject({ ips: firstIps });
  await alone.stop();
  expect(machineState(fixture.dataFolder)).toMatchObject({ pins: [expect.anything()], elements: { length: 4 } });
  await fixture.agentWithNets(modes, {}, settings);
  await expect.poll(() => machineState(fixture.dataFolder)).toEqual(nothing);
});

testWith(tools, "what could not be freed at the start is freed soon after", async () => {
  const alone = new AloneNets();
  await alone.build(aSpec(1));
  await alone.stop();
  const { dataFolder } = fixture;
  const once = failingOnce("ip", `${dataFolder}/failed-once`);
  try {
    await fixture.agentWithNets(modes, {}, settings);
    await expect.poll(() => fixture.warnings.join(), { timeout: 10_000 }).toContain("networks could not be compared");
    await expect.poll(() => machineState(dataFolder), { timeout: 10_000 }).toEqual(nothing);
  } finally {
    once.restore();
  }
});

testWith(tools, "case 19: a network that is removed twice is gone twice", async () => {
  const alone = new AloneNets();
  await alone.build(aSpec(1));
  expect([await alone.remove(aSpec(1)), await alone.remove(aSpec(1))]).toEqual(["gone", "gone"]);
  await alone.stop();
});

testWith(tools, "case 20: of a network whose namespace is gone already the rest goes, too", async () => {
  const alone = new AloneNets();
  await alone.build(aSpec(1));
  execFileSync("ip", ["netns", "del", ...pinsOf(fixture.dataFolder)]);
  expect(elements(fixture.dataFolder)).toHaveLength(4);
  expect(await alone.remove(aSpec(1))).toBe("gone");
  expect(elements(fixture.dataFolder)).toEqual([]);
  await alone.stop();
});

testWith(
  tools,
  "case 22: while one agent follows another no connection drops, and addresses and ports stay",
  async () => {
    const first = await fixture.agentWithNets(modes, {}, settings);
    const echo = `
    use IO::Socket::IP;
    $| = 1;
    my $server = IO::Socket::IP->new(LocalHost => "0.0.0.0", LocalPort => 9000, Listen => 5) or die "listen: $@";
    print "listens\\n";
    my $client = $server->accept;
    while (sysread $client, my $data, 100) { syswrite $client, $data }`;
    const spec = { command: "perl", arguments: ["-e", echo] };
    fixture.master.launch({ taskId: "echo", networkMode: "bridge", ports: [{ label: "echo", to: 9000 }], spec });
    await untilListening(fixture, "echo");
    const before = statusOf(fixture, "echo")?.container;
    const client = connect(portOf(fixture, "echo").number, "127.0.0.1");
    const say = (word: string): Promise<string> =>
      new Promise((resolve, reject) => {
        client.once("data", (data) => resolve(String(data)));
        client.once("error", reject);
        client.write(word);
      });
    try {
      expect(await say("one")).toBe("one");
      await fixture.stop(first, "leave");
      expect(await say("two")).toBe("two");
      await fixture.agentWithNets(modes, {}, settings);
      await fixture.master.until(
        () => fixture.master.reports.some(({ status }) => status?.state === TASK_RUNNING),
        "report",
      );
      expect(await say("three")).toBe("three");
      const report = fixture.master.reports.find(({ task }) => task?.taskId === "echo");
      expect(report?.status?.container?.ports).toEqual(before?.ports);
      expect(elements(fixture.dataFolder)).toHaveLength(4);
    } finally {
      client.destroy();
    }
  },
);

testWith(tools, "case 26: fifty networks that are made at once have fifty addresses, of each kind", async () => {
  const alone = new AloneNets();
  const specs = Array.from({ length: 50 }, (_, index) => aSpec(index + 1, 0));
  await Promise.all(specs.map((spec) => alone.build(spec)));
  const found = pinsOf(fixture.dataFolder).map((pin) => {
    const links = JSON.parse(
      execFileSync("ip", ["-n", pin, "-j", "addr", "show", "dev", "eth0"], { encoding: "utf8" }),
    );
    const [{ address, addr_info: ips }] = links as [{ address: string; addr_info: { local: string; scope: string }[] }];
    return [address, ...ips.filter(({ scope }) => scope === "global").map(({ local }) => local)];
  });
  for (const kind of [0, 1, 2]) expect(new Set(found.map((each) => each[kind])).size).toBe(50);
  await Promise.all(specs.map((spec) => alone.remove(spec)));
  await alone.stop();
});

testWith(tools, "case 27: a full subnet is said to be full, and has room again when a task has ended", async () => {
  await fixture.agentWithNets(
    modes,
    { addressesMax: 5 },
    { ...settings, subnet: settings.subnet.replace("/20", "/29") },
  );
  for (let n = 1; n <= 6; n++) fixture.master.launch({ taskId: `t${n}`, networkMode: "bridge", spec: sleeping });
  await fixture.master.untilState("t6", TASK_DROPPED);
  expect(statusOf(fixture, "t6")?.message).toContain("none of the agent's 5 addresses for tasks is free");
  for (let n = 1; n <= 5; n++) await fixture.master.untilState(`t${n}`, TASK_RUNNING);
  expect(pinsOf(fixture.dataFolder)).toHaveLength(5);
  fixture.master.kill("t1", 0);
  await fixture.master.untilState("t1", TASK_KILLED);
  await expect.poll(() => pinsOf(fixture.dataFolder)).toHaveLength(4);
  fixture.master.launch({ taskId: "t7", networkMode: "bridge", spec: sleeping });
  await fixture.master.untilState("t7", TASK_RUNNING);
});

testWith(tools, "case 33: the servers of names that a job names are those that its tasks ask", async () => {
  await fixture.agentWithNets(modes, {}, settings);
  const network = {
    hostname: "",
    dnsServers: ["198.51.100.1", "2001:db8::1"],
    dnsSearches: ["a.test", "b.test"],
    dnsOptions: ["ndots:2"],
  };
  const spec = { command: "cat", arguments: ["/etc/resolv.conf"] };
  fixture.master.launch({ taskId: "look", networkMode: "bridge", network, spec });
  await fixture.master.untilState("look", TASK_FINISHED);
  expect(fixture.outputOf("look")).toBe(
    "nameserver 198.51.100.1\nnameserver 2001:db8::1\nsearch a.test b.test\noptions ndots:2\n",
  );
});

testWith(tools, "case 34: another agent leaves the files of names that a task sees as they were", async () => {
  const first = await fixture.agentWithNets(modes, {}, settings);
  const network = { ...plainNetwork, dnsServers: ["198.51.100.1"], hostname: "web" };
  fixture.master.launch({ taskId: "stays", networkMode: "bridge", network, spec: sleeping });
  await fixture.master.untilState("stays", TASK_RUNNING);
  const root = `/proc/${statusOf(fixture, "stays")?.container?.pid}/root/etc`;
  const seen = (): string[] =>
    ["hosts", "hostname", "resolv.conf"].map((name) => readFileSync(`${root}/${name}`, "utf8"));
  const before = seen();
  await fixture.stop(first, "leave");
  await fixture.agentWithNets(modes, {}, settings);
  await fixture.master.until(() => fixture.master.reports.length > 0, "report");
  expect(seen()).toEqual(before);
  expect(before.join()).toContain("198.51.100.1");
});

testWith(tools, "case 35: a task has the host name that its job says, and it is its own address", async () => {
  await fixture.agentWithNets(modes, {}, settings);
  const network = { ...plainNetwork, hostname: "wonder" };
  const spec = { command: "sh", arguments: ["-c", "hostname; getent ahostsv4 wonder | cut -d' ' -f1 | sort -u"] };
  fixture.master.launch({ taskId: "look", networkMode: "bridge", network, spec });
  await fixture.master.untilState("look", TASK_FINISHED);
  expect(fixture.outputOf("look")).toBe(`wonder\n${firstIps[0]}\n`);
});

testWith(tools, "case 84: what a task has left running in its namespace ends before the namespace goes", async () => {
  await fixture.agentWithNets(modes, {}, settings);
  const script =
    "setsid sh -c 'sleep 1000 & echo $! > left; wait' & while ! test -s left; do sleep 0.01; done; cat left";
  fixture.master.launch({
    taskId: "leaves",
    networkMode: "bridge",
    spec: { command: "sh", arguments: ["-c", script] },
  });
  await fixture.master.untilState("leaves", TASK_FINISHED);
  expect(existsSync(`/proc/${fixture.outputOf("leaves").trim()}`)).toBe(false);
  const links = `/sys/class/net/${bridgeOf(fixture.dataFolder)}/brif`;
  await expect
    .poll(() => [pinsOf(fixture.dataFolder), execFileSync("ls", [links], { encoding: "utf8" })])
    .toEqual([[], ""]);
});

testWith(tools, "rules that a firewall's reload has flushed come back, and strays go", async () => {
  const first = await fixture.agentWithNets(modes, {}, settings);
  const port = await launchServer(fixture, "web");
  const [pin = ""] = pinsOf(fixture.dataFolder);
  nft("delete", "table", "inet", tableOf(fixture.dataFolder));
  // What is compared each minute is also compared by an agent that starts.
  await fixture.stop(first, "leave");
  await fixture.agentWithNets(modes, {}, settings);
  await expect.poll(() => elements(fixture.dataFolder)).toHaveLength(4);
  expect(await get(`127.0.0.1:${port}`)).toMatch(/^200 /);
  expect(curl(pin, `${gateway}:${port}`)).toMatch(/^\d+$/);
});
