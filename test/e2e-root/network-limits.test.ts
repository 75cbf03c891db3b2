import { execFile, execFileSync } from "node:child_process";
import { createServer } from "node:net";
import { promisify } from "node:util";
import { type GroupNetwork, StatusReason, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { plainNetwork } from "../../executors/src/agent/core/model.ts";
import { findNetworkModes } from "../../executors/src/agent/fingerprint/network-modes.ts";
import { cniDefaults } from "../../executors/src/networks/cni/settings.ts";
import { ownerOf } from "../../executors/src/networks/kernel/namespaces.ts";
import {
  firstIps,
  gateway,
  httpServer,
  launchServer,
  leavesNothing,
  machineState,
  modes,
  nft,
  settings,
  statusOf,
  tools,
  untilListening,
} from "./bridge.support.ts";
import { lacking, testUnless } from "./machine.ts";

const undoing = leavesNothing(afterEach, () => fixture);
const fixture = AgentFixture.use(beforeEach, afterEach);
const { TASK_KILLED, TASK_ERROR } = TaskState;
const [taskIp = ""] = firstIps;

/** What keeps this machine from limits, as an agent finds it out. */
const fault =
  lacking(...tools, "tc") ||
  (await findNetworkModes("limits01", settings, cniDefaults)).unavailable.find(({ name }) => name === "network/limits")
    ?.reason ||
  "";

function limited(limits: Partial<GroupNetwork>): GroupNetwork {
  return { ...plainNetwork, ...limits };
}

async function anAgent() {
  const attributes = [{ name: "network.limits", value: "1" }];
  return await fixture.agentWithNets(modes, fixture.configWith({ networkModes: modes, attributes }), settings);
}

async function launchLimited(taskId: string, limits: Partial<GroupNetwork>, spec = httpServer(8080)): Promise<void> {
  fixture.master.launch({ taskId, networkMode: "bridge", network: limited(limits), spec });
  await untilListening(fixture, taskId);
}

/** A server of the host that answers each connection with one byte and keeps it; its port. */
async function hostServer(): Promise<number> {
  const server = createServer((socket) => socket.on("error", () => {}).write("!"));
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
  undoing.push(() => server.close());
  return (server.address() as { port: number }).port;
}

/** Begins so many connections at once from a task's place, and says how many are there so much later. */
async function connections(taskId: string, target: string, count: number, seconds: number): Promise<number> {
  const pid = statusOf(fixture, taskId)?.container?.pid;
  const program = `
    use IO::Socket::INET;
    my @all = map { IO::Socket::INET->new(PeerAddr => $ARGV[0], Proto => "tcp", Blocking => 0) } 1 .. ${count};
    select(undef, undef, undef, ${seconds});
    print scalar grep { $_ && $_->connected } @all;`;
  const words = ["-t", String(pid), "-n", "perl", "-e", program, target];
  return Number((await promisify(execFile)("nsenter", words)).stdout);
}

/** Megabits a second of payload, as iperf3 finds them at their end. */
async function throughput(...words: string[]): Promise<number> {
  const { stdout } = await promisify(execFile)("iperf3", ["-c", taskIp, "-J", "-t", "3", "-O", "1", ...words]);
  return JSON.parse(stdout).end.sum_received.bits_per_second / 1e6;
}

/** Of a full frame of Ethernet, what is left for an application over TCP with its usual options. */
const payloadShare = 1_448 / 1_514;

testUnless(
  fault || lacking("iperf3"),
  "case 78: a group gets and sends as fast as its job says, within 5 %",
  async () => {
    await anAgent();
    const spec = { command: "sh", arguments: ["-c", "iperf3 -s --forceflush & sleep 0.3; echo listens; wait"] };
    await launchLimited("fast", { downMbitMax: 100, upMbitMax: 50 }, spec);
    const down = await throughput();
    const up = await throughput("-R");
    expect(Math.abs(down / (100 * payloadShare) - 1), `down: ${down} Mbit/s`).toBeLessThan(0.05);
    expect(Math.abs(up / (50 * payloadShare) - 1), `up: ${up} Mbit/s`).toBeLessThan(0.05);
  },
);

testUnless(
  fault,
  "a group that has as many connections as it may gets no further one, in either direction",
  async () => {
    await anAgent();
    const port = await hostServer();
    await launchLimited("few", { connectionsMax: 10 });
    await launchServer(fixture, "free");
    const target = `${gateway}:${port}`;
    expect(await connections("few", target, 30, 0.5)).toBe(10);
    expect(await connections("free", target, 30, 0.5)).toBe(30);
  },
);

testUnless(fault, "new connections beyond their number a second wait, and are not lost", async () => {
  await anAgent();
  const port = await hostServer();
  await launchLimited("slow", { newConnectionsPerSecondMax: 10 });
  const soon = await connections("slow", `${gateway}:${port}`, 40, 0.5);
  // Five at once, and five in half a second; whoever is late tries again after a second.
  expect(soon).toBeGreaterThanOrEqual(5);
  expect(soon).toBeLessThanOrEqual(12);
  expect(await connections("slow", `${gateway}:${port}`, 12, 3.5)).toBe(12);
});

testUnless(fault, "limits go with their group, and come back when somebody has taken them away", async () => {
  const first = await anAgent();
  await launchServer(fixture, "free");
  const before = machineState(fixture.dataFolder);
  const bounds = { downMbitMax: 100, upMbitMax: 50, connectionsMax: 10 };
  await launchLimited("bound", bounds);
  const during = machineState(fixture.dataFolder);
  expect([during.limits.shapers.length, during.limits.groups.length]).toEqual([1, 1]);
  const disciplines = (): string[] => {
    const found = JSON.parse(execFileSync("tc", ["-j", "qdisc", "show"], { encoding: "utf8" }));
    const ours = (found as { dev: string; kind: string }[]).filter(
      ({ dev, kind }) => kind !== "noqueue" && [...during.links, ...during.limits.shapers].includes(dev),
    );
    return ours.map(({ dev, kind }) => `${dev} ${kind}`).sort();
  };
  const all = disciplines();
  expect(all).toHaveLength(3);
  execFileSync("ip", ["link", "del", ...during.limits.shapers]);
  nft("delete", "table", "inet", `muster_limits_${ownerOf(fixture.dataFolder)}`);
  // What is compared each minute is also compared by an agent that starts.
  await fixture.stop(first, "leave");
  await anAgent();
  await expect.poll(() => machineState(fixture.dataFolder)).toEqual(during);
  await expect.poll(disciplines).toEqual(all);
  fixture.master.kill("bound", 0);
  await fixture.master.untilState("bound", TASK_KILLED);
  // The table stays while there are groups, like that of the ports.
  await expect
    .poll(() => machineState(fixture.dataFolder))
    .toEqual({ ...before, limits: { shapers: [], groups: [], table: true } });
});

testUnless(fault, "limits that can't be kept are refused, not left out", async () => {
  await fixture.agentWithNets(modes, {}, settings);
  const network = limited({ downMbitMax: 100 });
  const spec = { command: "true" };
  fixture.master.launch(
    { taskId: "host", network, spec },
    { taskId: "bridge", networkMode: "bridge", network, spec },
    { taskId: "wrong", networkMode: "bridge", network: limited({ connectionsMax: 2_000_000 }), spec },
  );
  for (const taskId of ["host", "bridge", "wrong"]) await fixture.master.untilState(taskId, TASK_ERROR);
  expect(statusOf(fixture, "host")?.message).toContain("mode host can have no limits");
  expect(statusOf(fixture, "bridge")?.reason).toBe(StatusReason.REASON_UNSUPPORTED);
  expect(statusOf(fixture, "wrong")?.message).toBe("network.connections_max: must be 1 to 1000000");
});
