import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { TaskState, type TaskStatus } from "@muster/proto";
import { afterEach, beforeEach, expect } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { plainNetwork } from "../../executors/src/agent/core/model.ts";
import { cniDefaults } from "../../executors/src/networks/cni/settings.ts";
import {
  httpServer,
  inside,
  leavesNothing,
  machineState,
  pinsOf,
  settings,
  statusOf,
  untilListening,
} from "./bridge.support.ts";
import { testWith } from "./machine.ts";
import { Lan, tools as overlayTools } from "./overlay.support.ts";

const undoing = leavesNothing(afterEach, () => fixture);
const fixture = AgentFixture.use(beforeEach, afterEach);
const lan = Lan.use(afterEach);
const { TASK_RUNNING, TASK_FAILED, TASK_KILLED } = TaskState;
const bounds = { downMbitMax: 100, upMbitMax: 50, connectionsMax: 5 };

/** Begins so many connections at once to a server that accepts all, and says how many are there half a second later. */
const dialer = (count: number): string => `
  use IO::Socket::INET;
  my @all = map { IO::Socket::INET->new(PeerAddr => $ARGV[0], Proto => "tcp", Blocking => 0) } 1 .. ${count};
  select(undef, undef, undef, 0.5);
  print scalar grep { $_ && $_->connected } @all;`;

const listener = `
  use IO::Socket::INET;
  my $server = IO::Socket::INET->new(LocalPort => 7070, Listen => 64, ReuseAddr => 1) or die $@;
  $| = 1; print "listens\\n"; my @kept; while (my $client = $server->accept) { push @kept, $client }`;

/** Kinds of disciplines on links, in order, "noqueue" left out. */
function disciplines(text: string): string[] {
  const found = JSON.parse(text) as { kind: string }[];
  return found
    .map(({ kind }) => kind)
    .filter((kind) => ["tbf", "ingress"].includes(kind))
    .sort();
}

testWith(
  ["ip", "nft", "tc", "iptables"],
  "limits of a network of plugins are kept at the host's end of its link, and go with it",
  async () => {
    const folder = `${fixture.dataFolder}.cni`;
    undoing.push(() => rmSync(folder, { recursive: true, force: true }));
    mkdirSync(join(folder, "net.d"), { recursive: true });
    const ipam = { type: "host-local", dataDir: join(folder, "ipam"), ranges: [[{ subnet: "10.219.3.0/24" }]] };
    const routes = [{ dst: "0.0.0.0/0" }];
    for (const [name, plugin] of [
      ["web", { type: "ptp", ipam: { ...ipam, routes } }],
      ["loop", { type: "loopback" }],
    ] as const)
      writeFileSync(
        join(folder, "net.d", `${name}.conflist`),
        JSON.stringify({ name, cniVersion: "1.0.0", plugins: [plugin] }),
      );
    const modes = ["host", "bridge", "cni/web", "cni/loop"];
    const cni = { ...cniDefaults, configFolder: join(folder, "net.d"), pluginFolders: ["/usr/lib/cni"] };
    const attributes = [{ name: "network.limits", value: "1" }];
    const start = () =>
      fixture.agentWithNets(modes, fixture.configWith({ networkModes: modes, attributes }), settings, { cni });
    const first = await start();
    const network = { ...plainNetwork, ...bounds };
    fixture.master.launch({ taskId: "bound", networkMode: "cni/web", network, spec: httpServer(8080) });
    await untilListening(fixture, "bound");
    const [pin = ""] = pinsOf(fixture.dataFolder);

    const server = await hostListener();
    const dial = (): string => inside(pin, "perl", "-e", dialer(20), `10.219.3.1:${server}`);
    expect(dial()).toBe("5");
    const links = () => disciplines(execFileSync("tc", ["-j", "qdisc", "show"], { encoding: "utf8" }));
    expect(links()).toEqual(["ingress", "tbf", "tbf"]);
    const during = machineState(fixture.dataFolder).limits;
    await fixture.stop(first, "leave");
    await start();
    expect(machineState(fixture.dataFolder).limits).toEqual(during);
    fixture.master.kill("bound", 0);
    await fixture.master.untilState("bound", TASK_KILLED);
    await expect.poll(() => machineState(fixture.dataFolder).limits).toMatchObject({ shapers: [], groups: [] });
    // A link without an end on the host: refused, not left out.
    fixture.master.launch({ taskId: "loop", networkMode: "cni/loop", network, spec: { command: "true" } });
    await fixture.master.untilState("loop", TASK_FAILED);
    expect(statusOf(fixture, "loop")?.message).toMatch(/network cni\/loop: .*eth0/);
  },
);

async function hostListener(): Promise<number> {
  const server = createServer((socket) => socket.on("error", () => {}));
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
  undoing.push(() => server.close());
  return (server.address() as { port: number }).port;
}

testWith([...overlayTools, "tc"], "limits of an overlay network hold for the group in it", async () => {
  const host = lan.host();
  await host.start();
  await host.join(1);
  const network = { ...plainNetwork, ...bounds };
  const spec = { command: "sleep", arguments: ["600"] };
  host.master.launch(
    { taskId: "bound", networkMode: "overlay/blue", network, spec },
    { taskId: "free", networkMode: "overlay/blue", spec },
  );
  for (const taskId of ["bound", "free"]) await host.master.untilState(taskId, TASK_RUNNING);
  await host.spawn("perl", "-e", listener).listens;
  const dial = (taskId: string): string => host.inTask(taskId, "perl", "-e", dialer(20), "10.244.1.1:7070");
  expect([dial("bound"), dial("free")]).toEqual(["5", "20"]);
  expect(disciplines(host.run("tc", "-j", "qdisc", "show"))).toEqual(["ingress", "tbf", "tbf"]);
  const last: TaskStatus | undefined = host.statusOf("bound");
  expect(last?.container?.ips[0]).toMatch(/^10\.244\.1\./);
  host.master.kill("bound", 0);
  await host.master.untilState("bound", TASK_KILLED);
  await expect.poll(() => disciplines(host.run("tc", "-j", "qdisc", "show"))).toEqual([]);
  await expect.poll(() => host.run("nft", "list", "ruleset")).not.toMatch(/chain group-/);
});
