import { execFileSync } from "node:child_process";
import { TaskState } from "@muster/proto";
import { afterEach, expect } from "vitest";
import { holdSeconds } from "../../executors/src/networks/overlay/bird-config.ts";
import { httpServer } from "./bridge.support.ts";
import { testWith } from "./machine.ts";
import { aSubnet, blue, type Host, Lan, news, tools, untilListening } from "./overlay.support.ts";

const lan = Lan.use(afterEach);
const { TASK_RUNNING } = TaskState;

/** Two machines in a network of that kind, one with a server, the other with a task that asks it. */
async function twoHosts(network: typeof blue): Promise<[Host, Host]> {
  const [one, two] = [lan.host(), lan.host()];
  await Promise.all([one.start(), two.start()]);
  const first = aSubnet(1, one.agentId, one.ip, one.ip6);
  const second = aSubnet(2, two.agentId, two.ip, two.ip6);
  await Promise.all([one.join(1, [second], network), two.join(2, [first], network)]);
  const networkMode = "overlay/blue";
  two.master.launch({ taskId: "web", networkMode, spec: httpServer(8080) });
  one.master.launch({ taskId: "asks", networkMode, spec: { command: "sleep", arguments: ["600"] } });
  await Promise.all([one.master.untilState("asks", TASK_RUNNING), two.master.untilState("web", TASK_RUNNING)]);
  await untilListening(two, "web");
  return [one, two];
}

const curl = (host: Host, address: string): string =>
  host.inTask("asks", "curl", "-gsS", "--max-time", "1", `http://${address}:8080/`);

testWith([...tools, "curl"], "with host-gw, packets of both families go to the peer's host as they are", async () => {
  const [one, two] = await twoHosts({ ...blue, backend: "host-gw" });
  const pid = String(two.statusOf("web")?.container?.pid);
  expect(curl(one, "10.244.2.2")).toBe(pid);
  expect(curl(one, "[fd44:0:0:2::2]")).toBe(pid);
  expect(one.links("device")).toEqual([]);
  expect(one.run("ip", "route", "show", "10.244.2.0/24")).toContain(`via ${two.ip} dev up0`);
  expect(one.run("ip", "-6", "route", "show", "fd44:0:0:2::/64")).toContain(`via ${two.ip6} dev up0`);
  expect(one.inTask("asks", "ip", "link", "show", "eth0")).toContain("mtu 1500");
  one.master.say(news({ removal: { network: "blue", agentId: two.agentId } }));
  await expect.poll(() => one.entries(), { timeout: 2_000 }).toEqual([]);
});

testWith([...tools, "curl"], "with direct routing, peers on one link need no tunnel, and others have one", async () => {
  const [one, two] = await twoHosts({ ...blue, directRouting: true });
  one.master.say(news({ subnet: aSubnet(9, "far", "192.0.2.9") }));
  await expect.poll(() => one.entries().length, { timeout: 2_000 }).toBe(7);
  const [device] = one.links("device");
  expect(one.run("ip", "route", "show", "10.244.2.0/24")).toContain(`via ${two.ip} dev up0`);
  expect(one.run("ip", "route", "show", "10.244.9.0/24")).toContain(`via 10.244.9.0 dev ${device}`);
  expect(curl(one, "10.244.2.2")).toBe(String(two.statusOf("web")?.container?.pid));
  // The way may change while a task runs: what it sends fits both.
  expect(one.inTask("asks", "ip", "link", "show", "eth0")).toContain("mtu 1450");
});

testWith(
  [...tools, "curl", "bird", "birdc"],
  "case 48: with BGP the routes come from the peers, and go with a peer that is killed, or falls silent, within the hold time",
  async () => {
    const [one, two] = await twoHosts({ ...blue, backend: "bgp", port: 1790 });
    const pid = String(two.statusOf("web")?.container?.pid);
    const routesOf = (host: typeof one) =>
      ["-4", "-6"].map((family) => host.run("ip", family, "route", "show", "proto", "bird").split(" ")[0]);
    const routes = () => routesOf(one);
    await expect.poll(routes, { timeout: 10_000 }).toEqual(["10.244.2.0/24", "fd44:0:0:2::/64"]);
    // An answer has a way of its own: a host asks by IPv6 from its address in the network.
    await expect.poll(() => routesOf(two), { timeout: 10_000 }).toEqual(["10.244.1.0/24", "fd44:0:0:1::/64"]);
    expect(curl(one, "10.244.2.2")).toBe(pid);
    expect(curl(one, "[fd44:0:0:2::2]")).toBe(pid);
    // A peer that falls silent, with nothing that would break its session, is believed until the hold time is over.
    const cable = (state: "up" | "down"): void => void execFileSync("ip", ["link", "set", two.cable, state]);
    cable("down");
    expect(routes()).toEqual(["10.244.2.0/24", "fd44:0:0:2::/64"]);
    await expect.poll(routes, { timeout: (holdSeconds + 5) * 1_000, interval: 100 }).toEqual(["", ""]);
    cable("up");
    await expect.poll(routes, { timeout: 20_000, interval: 100 }).toEqual(["10.244.2.0/24", "fd44:0:0:2::/64"]);
    await expect.poll(() => routesOf(two), { timeout: 20_000 }).toEqual(["10.244.1.0/24", "fd44:0:0:1::/64"]);
    // BIRD outlives the agent, as tasks do.
    await one.stop("SIGKILL");
    expect(curl(one, "10.244.2.2")).toBe(pid);
    for (const bird of two.processes("bird")) process.kill(Number(bird), "SIGKILL");
    await expect.poll(routes, { timeout: holdSeconds * 1_000, interval: 100 }).toEqual(["", ""]);
    await one.start();
    await one.stop("SIGTERM");
    expect(one.processes("bird")).toEqual([]);
  },
  90_000,
);
