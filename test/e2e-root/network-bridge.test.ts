import { execFile as execFileCallback, execFileSync, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";
import { TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { holderOf } from "../../executors/src/ports/proc-net.ts";
import {
  beside,
  curl,
  firstIps,
  gateway,
  gateway6,
  get,
  httpServer,
  inside,
  launchServer,
  leavesNothing,
  modes,
  pinsOf,
  portFirst,
  settings,
  statusOf,
  tools,
} from "./bridge.support.ts";
import { lacking, testUnless, testWith } from "./machine.ts";

const undoing = leavesNothing(afterEach, () => fixture);
/** A machine with rules of its own keeps them. */
function testDocker(name: string, act: () => Promise<void>): void {
  const lack = lacking(...tools);
  const hasRules = () => execFileSync("nft", ["list", "tables"], { encoding: "utf8" }).includes("ip filter");
  testUnless(lack || (hasRules() ? "this machine has a firewall of its own" : ""), name, act);
}

const fixture = AgentFixture.use(beforeEach, afterEach);
const { TASK_KILLED, TASK_FINISHED } = TaskState;

function ip(...words: string[]): string {
  return execFileSync("ip", words, { encoding: "utf8" });
}

/** A machine beside this one: a namespace with a link of its own. */
function aPeer(): string {
  const peer = `muster-test-${process.pid}`;
  const link = `mt${process.pid}`;
  ip("netns", "add", peer);
  undoing.push(() => ip("netns", "del", peer));
  ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", peer);
  for (const [word, end] of [
    ["add", "1"],
    ["add", "2"],
  ] as const) {
    const place = end === "1" ? ["-br"] : ["-n", peer];
    const device = end === "1" ? link : "eth0";
    ip(...place, "addr", word, `${beside.prefix}.${end}/30`, "dev", device);
    ip(...place, "addr", word, `${beside.prefix6}:${end}/64`, "dev", device, "nodad");
    ip(...place, "link", "set", device, "up");
  }
  return peer;
}

/** A server of the host; its port. */
async function hostServer(address: string): Promise<number> {
  const server = createServer((socket) => socket.end("HTTP/1.0 200 OK\r\ncontent-length: 4\r\n\r\nhost"));
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  undoing.push(() => server.close());
  return (server.address() as { port: number }).port;
}

testWith(tools, "case 5: a port of the host leads to the port inside", async () => {
  await fixture.agentWithNets(modes, {}, settings);
  const port = await launchServer(fixture, "web");
  expect(await get(`127.0.0.1:${port}`)).toBe(`200 ${statusOf(fixture, "web")?.container?.pid}`);
  expect(statusOf(fixture, "web")?.container?.ips).toEqual(firstIps);
});

testWith(tools, "case 6: another machine gets an answer on the host's IPv4", async () => {
  await fixture.agentWithNets(modes, {}, settings);
  const peer = aPeer();
  const port = await launchServer(fixture, "web");
  expect(curl(peer, `${beside.prefix}.1:${port}`)).toMatch(/^\d+$/);
});

testWith(tools, "case 7: another machine gets an answer on the host's IPv6", async () => {
  await fixture.agentWithNets(modes, {}, settings);
  const peer = aPeer();
  const port = await launchServer(fixture, "web");
  expect(curl(peer, `[${beside.prefix6}:1]:${port}`)).toMatch(/^\d+$/);
});

testWith(tools, "case 8: on the host's IPv6 loopback a mapped port refuses, as the documentation says", async () => {
  await fixture.agentWithNets(modes, {}, settings);
  const port = await launchServer(fixture, "web");
  await expect(get(`[::1]:${port}`)).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
});

testWith(tools, "case 9: a task reaches itself by its own port of the host", async () => {
  await fixture.agentWithNets(modes, {}, settings);
  const port = await launchServer(fixture, "web");
  const [pin = ""] = pinsOf(fixture.dataFolder);
  expect(curl(pin, `${gateway}:${port}`)).toBe(String(statusOf(fixture, "web")?.container?.pid));
  expect(curl(pin, `[${gateway6}]:${port}`)).toBe(String(statusOf(fixture, "web")?.container?.pid));
});

testWith(tools, "case 10: what listens on the host's loopback alone is closed to tasks", async () => {
  await fixture.agentWithNets(modes, {}, settings);
  await launchServer(fixture, "web");
  const [pin = ""] = pinsOf(fixture.dataFolder);
  const [onLoopback, onAll] = [await hostServer("127.0.0.1"), await hostServer("0.0.0.0")];
  // nsenter runs in this process's name, and its answers need this process: so not while it waits.
  expect(await curlBeside(pin, `${gateway}:${onAll}`)).toBe("host");
  expect(await curlBeside(pin, `${gateway}:${onLoopback}`)).toBe("exit 7");
  // Loopback as a destination on the wire, which route_localnet would let in.
  inside(pin, "ip", "route", "add", "127.0.0.0/9", "via", gateway, "table", "217");
  inside(pin, "sysctl", "-qw", "net.ipv4.conf.eth0.route_localnet=1");
  inside(pin, "ip", "rule", "add", "to", "127.0.0.99", "table", "217", "pref", "0");
  expect(await curlBeside(pin, `127.0.0.99:${onAll}`, 1)).toMatch(/^exit (7|28)$/);
});

testWith(tools, "case 13: nobody else can bind a mapped port, not even while one agent follows another", async () => {
  const first = await fixture.agentWithNets(modes, {}, settings);
  const port = await launchServer(fixture, "web");
  expect(await bindAll(port)).toEqual(["EADDRINUSE", "EADDRINUSE", "EADDRINUSE"]);
  await fixture.stop(first, "leave");
  expect(await bindAll(port)).toEqual(["EADDRINUSE", "EADDRINUSE", "EADDRINUSE"]);
  await fixture.agentWithNets(modes, {}, settings);
  fixture.master.kill("web", 0);
  await expect.poll(() => bindAll(port), { timeout: 10_000 }).toEqual(["bound", "bound", "bound"]);
});

testWith(tools, "a port whose last connection has just ended can be held, and nobody else can bind it", async () => {
  const server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(portFirst, "127.0.0.1", resolve));
  // The end that closes first remembers the connection.
  await new Promise((resolve) => connect(portFirst, "127.0.0.1").resume().once("close", resolve));
  await new Promise((resolve) => server.close(resolve));
  expect(await holderOf("tcp", portFirst)).toBe("a connection that has just ended");
  await fixture.agentWithNets(modes, {}, settings);
  await launchServer(fixture, "web", portFirst);
  expect(await bindAll(portFirst)).toEqual(["EADDRINUSE", "EADDRINUSE", "EADDRINUSE"]);
});

testWith(tools, "case 15: addresses can be used at once, IPv6 too", async () => {
  await fixture.agentWithNets(modes, {}, settings);
  const script = "cat /proc/net/if_inet6";
  fixture.master.launch({ taskId: "look", networkMode: "bridge", spec: { command: "sh", arguments: ["-c", script] } });
  await fixture.master.untilState("look", TASK_FINISHED);
  const lines = fixture.outputOf("look").split("\n");
  const flags = lines.find((line) => line.endsWith("eth0") && !line.startsWith("fe80"))?.split(/\s+/)[4] ?? "none";
  // 0x40 is IFA_F_TENTATIVE.
  expect(Number.parseInt(flags, 16) & 0x40).toBe(0);
});

testWith(tools, "case 29: tasks of a group reach one another on loopback", async () => {
  await fixture.agentWithNets(modes, {}, settings);
  const asking = {
    command: "curl",
    arguments: ["-sS", "--retry", "20", "--retry-connrefused", "--retry-delay", "0", "http://127.0.0.1:8080/"],
  };
  const others = [{ taskId: "second", spec: asking }];
  fixture.master.launch({ taskId: "first", networkMode: "bridge", spec: httpServer(8080), others });
  await fixture.master.untilState("second", TASK_FINISHED);
  expect(fixture.outputOf("second")).toMatch(/^\d+$/);
});

testWith(tools, "case 79: tasks reach neither the metadata of clouds nor the agent's own ports", async () => {
  const agentPort = await hostServer("0.0.0.0");
  await fixture.agentWithNets(modes, {}, { ...settings, closedPorts: [agentPort] });
  await launchServer(fixture, "web");
  const [pin = ""] = pinsOf(fixture.dataFolder);
  ip("addr", "replace", "169.254.169.254/32", "dev", "lo");
  undoing.push(() => ip("addr", "del", "169.254.169.254/32", "dev", "lo"));
  const other = await hostServer("0.0.0.0");
  expect(await get(`169.254.169.254:${other}`)).toBe("200 host");
  expect(await curlBeside(pin, `${gateway}:${other}`)).toBe("host");
  expect(await curlBeside(pin, `169.254.169.254:${other}`)).toBe("exit 7");
  expect(await curlBeside(pin, `${gateway}:${agentPort}`)).toBe("exit 7");
});

testWith(tools, "tasks leave by the host's address, and reach one another by their own", async () => {
  await fixture.agentWithNets(modes, {}, settings);
  const peer = aPeer();
  await launchServer(fixture, "one");
  await launchServer(fixture, "two");
  const [pin = ""] = pinsOf(fixture.dataFolder);
  const [ipOfTwo] = statusOf(fixture, "two")?.container?.ips ?? [];
  expect(curl(pin, `${ipOfTwo}:8080`)).toBe(String(statusOf(fixture, "two")?.container?.pid));
  const server = spawn("nsenter", [`--net=/run/netns/${peer}`, "perl", "-e", tellsPeer], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  undoing.push(() => server.kill("SIGKILL"));
  await new Promise((resolve) => server.stdout.once("data", resolve));
  expect(curl(pin, `${beside.prefix}.2:8081`)).toBe(`::ffff:${beside.prefix}.1`);
  expect(curl(pin, `[${beside.prefix6}:2]:8081`)).toBe(`${beside.prefix6}:1`);
});

testDocker(
  "where Docker drops what the host passes on, the bridge is let through, and only while it is there",
  async () => {
    const chains =
      "add chain ip filter FORWARD { type filter hook forward priority 0; }; add chain ip filter DOCKER-USER";
    const link = `mt${process.pid}`;
    const drop = `add rule ip filter FORWARD iifname ${link} drop; add rule ip filter FORWARD oifname ${link} drop`;
    execFileSync("nft", [`add table ip filter; ${chains}; add rule ip filter FORWARD jump DOCKER-USER; ${drop}`]);
    undoing.push(() => execFileSync("nft", ["delete table ip filter"]));
    const agent = await fixture.agentWithNets(modes, {}, settings);
    const peer = aPeer();
    const port = await launchServer(fixture, "web");
    expect(curl(peer, `${beside.prefix}.1:${port}`)).toMatch(/^\d+$/);
    fixture.master.kill("web", 0);
    await fixture.master.untilState("web", TASK_KILLED);
    await fixture.stop(agent, "kill");
    expect(execFileSync("nft", ["list", "chain", "ip", "filter", "DOCKER-USER"], { encoding: "utf8" })).not.toContain(
      "muster",
    );
  },
);

testWith(tools, "a subnet that the host reaches otherwise is refused, and the setting named", async () => {
  await fixture.agentWithNets(modes, {}, { ...settings, subnet: `${beside.prefix}.0/29` });
  aPeer();
  fixture.master.launch({ taskId: "web", networkMode: "bridge", spec: httpServer(8080) });
  await fixture.master.untilState("web", TaskState.TASK_FAILED);
  expect(statusOf(fixture, "web")?.message).toMatch(
    /the subnet \S+ overlaps the host's route \S+ on mt\d+: .*--bridge-subnet/,
  );
});

/** Answers one who asks with the address that he comes from. */
const tellsPeer = `
  use IO::Socket::IP;
  my $server = IO::Socket::IP->new(LocalHost => "::", LocalPort => 8081, Listen => 4, V6Only => 0) or die "listen: $@";
  syswrite STDOUT, "listens";
  while (my $client = $server->accept) {
    my $text = $client->peerhost;
    print $client "HTTP/1.0 200 OK\\r\\ncontent-length: " . length($text) . "\\r\\n\\r\\n$text";
  }`;

/** As `curl`, while this process goes on serving. */
function curlBeside(pin: string, address: string, seconds = 3): Promise<string> {
  const words = [`--net=/run/netns/${pin}`, "curl", "-gsS", "--max-time", String(seconds), `http://${address}/`];
  return new Promise((resolve) => {
    execFileCallback("nsenter", words, (error, output) => resolve(error ? `exit ${error.code}` : output));
  });
}

/** Tries to bind a port as servers do: for TCP on both families, and for UDP. */
function bindAll(port: number): Promise<string[]> {
  const tcp = (host: string): Promise<string> =>
    new Promise((resolve) => {
      const server = createServer();
      server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
      server.listen({ port, host, exclusive: true }, () => server.close(() => resolve("bound")));
    });
  const udp = (): Promise<string> =>
    new Promise((resolve) => {
      const socket = createSocket("udp4");
      socket.once("error", (error: NodeJS.ErrnoException) => socket.close(() => resolve(error.code ?? "")));
      socket.bind({ port, address: "127.0.0.1", exclusive: true }, () => socket.close(() => resolve("bound")));
    });
  return tcp("0.0.0.0").then(async (first) => [first, await tcp("::1"), await udp()]);
}
