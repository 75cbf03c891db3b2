// What an overlay network costs: one stream and one byte back and forth between tasks of two machines, beside the link
// between the machines in the same run; and what the kernel takes to hear of five thousand peers, then of one more.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const peerCount = 5_000;
const changes = 10;
const turns = 3;
const streamSeconds = 2;
const rounds = 10_000;
const network = {
  name: "bench",
  cidr: "10.128.0.0/9",
  cidr6: "fd44::/48",
  subnetPrefix: 24,
  backend: "vxlan",
  vni: 77,
  port: 4789,
  directRouting: false,
};

export async function measureOverlay(log) {
  const missing = ["bridge", "nsenter", "iperf3", "perl"].filter((tool) => spawnSync("which", [tool]).status !== 0);
  if (missing.length > 0) {
    log(`network: overlay not measured: needs ${missing.join(", ")}`);
    return [];
  }
  const machines = [new Machine(1), new Machine(2)];
  const [one, two] = machines;
  try {
    for (const machine of machines) machine.build();
    ip("link", "add", "up0", "netns", one.name, "type", "veth", "peer", "name", "up0", "netns", two.name);
    for (const machine of machines) machine.start();
    const subnets = machines.map((machine) => machine.subnet);
    for (const machine of machines) await machine.say({ act: "join", agentId: machine.agentId, network, subnets });
    const groups = [];
    for (const machine of machines) groups.push(await machine.say({ act: "group", subnets: machine.ranges }));
    const names = groups.map(({ namespace }) => namespace.split("/").at(-1));
    log(
      `network: ${turns} times one stream for ${streamSeconds} s and ${rounds} times one byte, direct and by the overlay`,
    );
    const ways = { direct: [one.name, two.name, two.ip], overlay: [names[0], names[1], groups[1].ips[0]] };
    const [direct, overlay] = await compare(ways.direct, ways.overlay);
    log(`network: ${peerCount} peers, dual stack, then ${changes} times one more`);
    const peers = Array.from({ length: peerCount }, (_, index) => subnetOf(index + 3, `peer-${index}`, "192.0.2.7"));
    const all = await one.say({ act: "join", agentId: one.agentId, network, subnets: [...subnets, ...peers] });
    const times = [];
    for (let index = 0; index < changes; index++) {
      const subnet = subnetOf(peerCount + 3 + index, `late-${index}`, "192.0.2.8");
      times.push((await one.say({ act: "change", subnet })).ms);
    }
    const stream = { peer: `direct ${direct.gigabits.toFixed(1)}`, ratio: overlay.gigabits / direct.gigabits };
    const latency = {
      peer: `direct ${direct.microseconds.toFixed(0)} us`,
      ratio: overlay.microseconds / direct.microseconds,
    };
    return [
      { label: "overlay, one stream", value: overlay.gigabits, unit: "Gbit/s", ...stream },
      { label: "overlay, one byte there and back, median", value: overlay.microseconds, unit: "us", ...latency },
      { label: `overlay, ${peerCount} peers made known`, value: all.ms, unit: "ms" },
      { label: "overlay, one peer more among them, median", value: median(times), unit: "ms" },
    ];
  } finally {
    for (const machine of machines) await machine.end();
  }
}

/** A namespace with a process that holds its overlay networks. */
class Machine {
  constructor(number) {
    this.name = `muster-bench-overlay-${process.pid}-${number}`;
    this.ip = `192.0.2.${number}`;
    this.agentId = `agent-${number}`;
    this.subnet = subnetOf(number, this.agentId, this.ip);
    this.ranges = [this.subnet.subnet, this.subnet.subnet6];
    this.dataFolder = mkdtempSync(join(tmpdir(), "muster-bench-overlay-"));
  }

  build() {
    ip("netns", "add", this.name);
  }

  start() {
    ip("-n", this.name, "link", "set", "lo", "up");
    ip("-n", this.name, "addr", "add", `${this.ip}/24`, "dev", "up0");
    ip("-n", this.name, "link", "set", "up0", "up");
    const program = join(import.meta.dirname, "overlay-host.mjs");
    const words = [`--net=/run/netns/${this.name}`, process.execPath, program, this.dataFolder, this.ip];
    this.process = spawn("nsenter", words, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  }

  async say(words) {
    const answer = await new Promise((resolve, reject) => {
      const ended = () => reject(new Error("the machine's process has ended"));
      this.process.once("exit", ended);
      this.process.once("message", (told) => {
        this.process.off("exit", ended);
        resolve(told);
      });
      this.process.send(words);
    });
    if (answer.fault ?? answer.reason) throw new Error(answer.fault ?? answer.reason);
    return answer;
  }

  async end() {
    if (this.process?.connected) {
      const ended = new Promise((resolve) => this.process.once("exit", resolve));
      this.process.send({ act: "end" });
      const timer = setTimeout(() => this.process.kill("SIGKILL"), 10_000);
      await ended;
      clearTimeout(timer);
    }
    spawnSync("ip", ["netns", "del", this.name]);
    rmSync(this.dataFolder, { recursive: true, force: true });
  }
}

function subnetOf(number, agentId, underlayIp) {
  const subnet = `10.${128 + (number >> 8)}.${number & 255}.0/24`;
  return {
    network: "bench",
    agentId,
    subnet,
    subnet6: `fd44:0:0:${number.toString(16)}::/64`,
    underlayIp,
    underlayIp6: "",
  };
}

/** Each way in turn, a few times, so that what else the machine does falls on both; medians. */
async function compare(...ways) {
  const found = ways.map(() => []);
  for (let turn = 0; turn < turns; turn++)
    for (const [index, way] of ways.entries()) found[index].push(await path(...way));
  return found.map((all) => ({
    gigabits: median(all.map(({ gigabits }) => gigabits)),
    microseconds: median(all.map(({ microseconds }) => microseconds)),
  }));
}

/** One stream, and one byte there and back, from one namespace to another. */
async function path(from, to, ip) {
  const gigabits = await withServer(to, ["iperf3", "-s", "-1", "--forceflush"], "listening", () => {
    const words = ["netns", "exec", from, "iperf3", "-c", ip, "-t", String(streamSeconds), "-J"];
    const { end } = JSON.parse(execFileSync("ip", words, { encoding: "utf8", maxBuffer: 1 << 26 }));
    return end.sum_received.bits_per_second / 1e9;
  });
  const microseconds = await withServer(to, ["perl", "-e", echoes], "listening", () =>
    Number(execFileSync("ip", ["netns", "exec", from, "perl", "-e", asks, ip, String(rounds)], { encoding: "utf8" })),
  );
  return { gigabits, microseconds };
}

async function withServer(namespace, program, word, act) {
  const server = spawn("ip", ["netns", "exec", namespace, ...program], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => server.stdout.on("data", (text) => String(text).includes(word) && resolve()));
  try {
    return act();
  } finally {
    server.kill();
  }
}

const echoes = `
  use Socket; use IO::Socket::INET; $| = 1;
  my $server = IO::Socket::INET->new(LocalPort => 5301, Listen => 1, ReuseAddr => 1) or die "listen: $!";
  print "listening\\n";
  my $client = $server->accept;
  setsockopt($client, Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1);
  while (sysread($client, my $byte, 1)) { syswrite($client, $byte) }`;

const asks = `
  use Socket; use IO::Socket::INET; use Time::HiRes "time";
  my ($ip, $rounds) = @ARGV;
  my $peer = IO::Socket::INET->new(PeerAddr => $ip, PeerPort => 5301) or die "connect: $!";
  setsockopt($peer, Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1);
  my @times;
  for (1 .. $rounds) {
    my $begin = time;
    syswrite($peer, "x");
    sysread($peer, my $byte, 1);
    push @times, time - $begin;
  }
  @times = sort { $a <=> $b } @times;
  print $times[@times / 2] * 1e6;`;

function ip(...words) {
  execFileSync("ip", words, { stdio: ["ignore", "ignore", "inherit"] });
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
