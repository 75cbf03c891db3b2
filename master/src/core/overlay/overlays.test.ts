import { MusterError, overlayDigest } from "@muster/foundation";
import type { ListOverlaysResponse, OverlayChange, Registration } from "@muster/proto";
import { expect, test } from "vitest";
import { type AgentWire, aGroup, aTask, World } from "../../world.test.fixture.ts";
import { parseOverlays } from "./network.ts";

const blue = parseOverlays(["blue 10.244.0.0/22 fd44::/48"]);
const settings = { overlays: blue, subnetReuseMs: 60_000 };

const at = (ip: string, backends = ["vxlan"], knownDigest = ""): Partial<Registration> => ({
  underlay: { ip, ip6: "", backends, knownDigest },
});

const newsOf = (agent: AgentWire): OverlayChange[] => agent.all("overlayChanges");
/** In words: who has what, who has no more, that all is told, and what was refused. */
const told = (agent: AgentWire): string[] =>
  newsOf(agent).map(({ network, subnet, removal, refusal, complete, unchanged }) => {
    if (network) return `network ${network.name}`;
    if (subnet) return `${subnet.agentId} ${subnet.subnet} ${subnet.subnet6} ${subnet.underlayIp}`;
    if (removal) return `without ${removal.agentId}`;
    if (unchanged) return "unchanged";
    return complete ? "complete" : `refused: ${refusal?.reason}`;
  });

function overlays(world: World): ListOverlaysResponse["overlays"] {
  let found: ListOverlaysResponse["overlays"] = [];
  world.master.handlers["Operator.ListOverlays"]?.({}, { address: "test", principal: "local" }, (result) => {
    if (result.ok) found = result.value.overlays;
  });
  return found;
}

test("an agent is told of all there is, then of what changes: its own subnet and those of others", () => {
  const world = new World(settings);
  const one = world.agent("a-1", at("192.0.2.1"));
  const two = world.agent("a-2", at("192.0.2.2"));
  const first = "a-1 10.244.0.0/24 fd44::/64 192.0.2.1";
  const second = "a-2 10.244.1.0/24 fd44:0:0:1::/64 192.0.2.2";
  expect(told(one)).toEqual(["network blue", "complete", first, second]);
  expect(told(two)).toEqual(["network blue", first, "complete", second]);
});

test("a subnet is in the store before anybody is told of it", () => {
  const world = new World(settings);
  const one = world.agent("a-1", at("192.0.2.1"), false);
  one.register();
  world.storeFault = new MusterError("unavailable", "away");
  const two = world.agent("a-2", at("192.0.2.2"));
  expect(two.isRegistered).toBe(false);
  world.storeFault = undefined;
  const again = world.agent("a-2", at("192.0.2.2"), false);
  again.register(at("192.0.2.2"));
  expect(told(again)).toContain("a-2 10.244.0.0/24 fd44::/64 192.0.2.2");
  expect([...world.data.entries.keys()]).toContain("overlays/blue/0");
  world.storeFault = new MusterError("unavailable", "away");
  again.close();
  const moved = world.agent("a-2", at("192.0.2.99"), false);
  moved.register(at("192.0.2.99"));
  expect(told(moved).at(-1)).toBe("complete");
  world.storeFault = undefined;
  world.clock.advance(2_000);
  expect(told(moved).at(-1)).toBe("a-2 10.244.0.0/24 fd44::/64 192.0.2.99");
});

test("an agent keeps its subnet over its own restart and that of the master, and peers know it before it is back", () => {
  const world = new World(settings);
  world.agent("a-1", at("192.0.2.1"));
  const one = world.agent("a-2", at("192.0.2.2"));
  one.close();
  const again = world.agent("a-2", at("192.0.2.2"));
  expect(told(again)).toContain("a-2 10.244.1.0/24 fd44:0:0:1::/64 192.0.2.2");
  const next = world.restart(settings);
  const other = next.agent("a-1", at("192.0.2.1"));
  expect(told(other)).toEqual([
    "network blue",
    "a-1 10.244.0.0/24 fd44::/64 192.0.2.1",
    "a-2 10.244.1.0/24 fd44:0:0:1::/64 192.0.2.2",
    "complete",
  ]);
});

test("an agent that leaves gives its subnet back; one that waits gets it when its time has come", () => {
  const world = new World({ ...settings, overlays: parseOverlays(["blue 10.244.0.0/23"]) });
  const agents = ["a-1", "a-2", "a-3"].map((id, index) => world.agent(id, at(`192.0.2.${index + 1}`)));
  const [one, two, three] = agents as [AgentWire, AgentWire, AgentWire];
  expect(told(three).at(-1)).toMatch(/refused: all 2 subnets of 10\.244\.0\.0\/23 are taken: widen/);
  expect(overlays(world)[0]).toMatchObject({ subnetCount: 2, waitingAgentIds: ["a-3"] });
  one.say({ leaving: true });
  expect(told(two).at(-1)).toBe("without a-1");
  world.clock.advance(59_000);
  expect(told(three).at(-1)).toBe("without a-1");
  world.clock.advance(2_000);
  expect(told(three).at(-1)).toBe("a-3 10.244.0.0/24  192.0.2.3");
  expect(overlays(world)[0]?.leases.map(({ subnet, agentName }) => `${subnet?.subnet} ${agentName}`)).toEqual([
    "10.244.0.0/24 name-a-3",
    "10.244.1.0/24 name-a-2",
  ]);
});

test("a subnet of an agent that the store has forgotten is free", () => {
  const world = new World(settings);
  world.agent("a-1", at("192.0.2.1"));
  world.data.entries.delete("agents/a-1");
  const next = world.restart(settings);
  expect(overlays(next)[0]?.leases).toMatchObject([{ agentName: "" }]);
  expect(overlays(next)[0]?.leases[0]?.releasedAt).toBeGreaterThan(0);
});

test("a network with another range gives its agents new subnets", () => {
  const world = new World(settings);
  world.agent("a-1", at("192.0.2.1"));
  const next = world.restart({ ...settings, overlays: parseOverlays(["blue 10.99.0.0/16"]) });
  expect(told(next.agent("a-1", at("192.0.2.1")))).toEqual(["network blue", "complete", "a-1 10.99.0.0/24  192.0.2.1"]);
});

test("agents that can't take part are told why, or nothing", () => {
  const world = new World(settings);
  expect(told(world.agent("a-1"))).toEqual([]);
  expect(told(world.agent("a-2", at("192.0.2.2", ["host-gw"])))).toEqual([
    "network blue",
    "complete",
    "refused: its back end vxlan does not work on this agent",
  ]);
  const wrong = world.agent("a-3", at("nowhere"));
  expect(wrong.ended).toMatchObject({ kind: "invalid", field: "registration.underlay.ip" });
});

test("five thousand peers are told in messages of bounded size", () => {
  const world = new World({ ...settings, overlays: parseOverlays(["blue 10.0.0.0/8 fd44::/48"]) });
  for (let index = 0; index < 5_000; index++) {
    const agentId = `agent-${index.toString().padStart(24, "0")}`;
    const subnet = `10.${index >> 8}.${index & 255}.0/24`;
    const record = { network: "blue", index, subnet, agentId, underlayIp: "192.0.2.1", underlayIp6: "", releasedAt: 0 };
    const value = new TextEncoder().encode(JSON.stringify(record));
    world.data.entries.set(`overlays/blue/${index}`, { key: `overlays/blue/${index}`, value, version: 1 });
    const agent = { agentId, name: agentId, address: "x:1", ip: "192.0.2.1", unreachableAt: 0 };
    const bytes = new TextEncoder().encode(JSON.stringify(agent));
    world.data.entries.set(`agents/${agentId}`, { key: `agents/${agentId}`, value: bytes, version: 1 });
  }
  const next = world.restart({ ...settings, overlays: parseOverlays(["blue 10.0.0.0/8 fd44::/48"]) });
  const one = next.agent("a-1", at("192.0.2.9"));
  expect(newsOf(one).filter(({ subnet }) => subnet)).toHaveLength(5_001);
  const sizes = one.received.map(({ overlayChanges }) => overlayChanges.length);
  expect(Math.max(...sizes)).toBeLessThan(2_500);
});

test("ports in an overlay network are the task's own: they take none of the agent's", () => {
  const world = new World(settings);
  world.agent("a-1", at("192.0.2.1"));
  const framework = world.framework("services");
  const ports = [{ label: "http", number: 80, to: 0, protocol: "", hostNetwork: "" }];
  const groups = [1, 2].map((n) => aGroup([aTask(`t-${n}`)], { ports, networkMode: "overlay/blue" }));
  framework.accept(framework.freshOffers(), groups);
  expect(framework.states()).toEqual([]);
});

test("what an agent says of its networks later counts", () => {
  const world = new World(settings);
  const agent = world.agent("a-1", { ...at("192.0.2.1"), networkModes: ["host"] });
  const networks = { modes: ["host", "overlay/blue"], unavailable: [{ name: "backend/bgp", reason: "no bird" }] };
  agent.say({ update: { resources: null, attributes: [], foreignPorts: [], networks } });
  const known = world.master.state?.agents.get("a-1");
  expect([known?.networkModes, known?.unavailable]).toEqual([["host", "overlay/blue"], ["backend/bgp: no bird"]]);
});

/** The digest of what an agent has been told so far, as it would say it in its next session. */
const digestOf = (agent: AgentWire): string => {
  const subnets = newsOf(agent).flatMap(({ subnet }) => subnet ?? []);
  const byAgent = new Map(subnets.map((subnet) => [subnet.agentId, subnet]));
  for (const { removal } of newsOf(agent)) if (removal) byAgent.delete(removal.agentId);
  return overlayDigest(
    newsOf(agent).flatMap(({ network }) => network ?? []),
    byAgent.values(),
  );
};

test("after a restart of the master an agent that knows all is told so in one word, and one that does not everything", () => {
  const world = new World(settings);
  const one = world.agent("a-1", at("192.0.2.1"));
  world.agent("a-2", at("192.0.2.2"));
  const known = digestOf(one);
  const next = world.restart(settings);
  const again = next.agent("a-1", at("192.0.2.1", ["vxlan"], known));
  expect(told(again)).toEqual(["unchanged"]);
  expect(told(next.agent("a-2", at("192.0.2.2", ["vxlan"], "other")))).toHaveLength(4);
  // What comes after it is told as ever, and counts from then on.
  next.agent("a-3", at("192.0.2.3"));
  expect(told(again)).toEqual(["unchanged", "a-3 10.244.2.0/24 fd44:0:0:2::/64 192.0.2.3"]);
  again.close();
  expect(told(next.agent("a-1", at("192.0.2.1", ["vxlan"], known)))).toHaveLength(5);
});

test("a subnet that is given back, and a network that is set otherwise, are no longer what was known", () => {
  const world = new World(settings);
  const one = world.agent("a-1", at("192.0.2.1"));
  const two = world.agent("a-2", at("192.0.2.2"));
  const known = digestOf(one);
  two.say({ leaving: true });
  const now = digestOf(one);
  one.close();
  expect(told(world.agent("a-1", at("192.0.2.1", ["vxlan"], known)))).toHaveLength(3);
  expect(told(world.agent("a-1", at("192.0.2.1", ["vxlan"], now)))).toEqual(["unchanged"]);
  const wider = world.restart({ ...settings, overlays: parseOverlays(["blue 10.244.0.0/22 fd44::/48 port=4790"]) });
  expect(told(wider.agent("a-1", at("192.0.2.1", ["vxlan"], now)))).toHaveLength(3);
});
