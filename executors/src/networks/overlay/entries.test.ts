import type { OverlayNetwork, OverlaySubnet } from "@muster/proto";
import { expect, test } from "vitest";
import { birdConfig } from "./bird-config.ts";
import { entriesBy, entriesOf, linesBetween, routeEntry, type Way } from "./entries.ts";
import { planOverlay } from "./plan.ts";

const network: OverlayNetwork = {
  name: "blue",
  cidr: "10.244.0.0/16",
  cidr6: "fd44::/48",
  subnetPrefix: 24,
  backend: "vxlan",
  vni: 7,
  port: 4789,
  directRouting: false,
};

function aSubnet(index: number, underlayIp: string, underlayIp6 = ""): OverlaySubnet {
  const subnet6 = `fd44:0:0:${index}::/64`;
  return { network: "blue", agentId: `a-${index}`, subnet: `10.244.${index}.0/24`, subnet6, underlayIp, underlayIp6 };
}

function wayOf(settings: Partial<OverlayNetwork> = {}): Way {
  const plan = planOverlay("owner", { ...network, ...settings }, aSubnet(1, "192.0.2.1", "2001:db8::1"), true);
  return { plan, uplink: "up0", isOnLink: (ip) => ip.startsWith("192.0.2.") || ip.startsWith("2001:db8:") };
}

test("names of links fit the kernel, and the ends of tunnels are told apart by their subnets", () => {
  const { plan } = wayOf();
  expect([plan.device.length, plan.bridge.length]).toEqual([14, 14]);
  expect(entriesOf(aSubnet(2, "192.0.2.2"), wayOf()).filter(({ table }) => table === "forward")[0]).toEqual({
    table: "forward",
    key: "02:4d:0a:f4:02:00",
    value: "192.0.2.2",
  });
});

test("what is added: neighbour, forwarding, route; what is removed: the reverse; what is right stays", () => {
  const way = wayOf();
  const { device } = way.plan;
  const old = entriesBy(entriesOf({ ...aSubnet(2, "192.0.2.2"), subnet6: "" }, way));
  const now = entriesBy(entriesOf({ ...aSubnet(3, "192.0.2.3"), subnet6: "" }, way));
  expect(linesBetween(old, now, device)).toEqual({
    first: [
      "route del 10.244.2.0/24 proto 157",
      `neigh replace 10.244.3.0 lladdr 02:4d:0a:f4:03:00 dev ${device} nud permanent`,
    ],
    forward: [
      `fdb del 02:4d:0a:f4:02:00 dev ${device} self`,
      `fdb replace 02:4d:0a:f4:03:00 dev ${device} dst 192.0.2.3 self permanent`,
    ],
    last: [
      `neigh del 10.244.2.0 dev ${device}`,
      `route replace 10.244.3.0/24 via 10.244.3.0 dev ${device} onlink src 10.244.1.1 metric 4 proto 157`,
    ],
  });
  expect(linesBetween(now, now, device)).toEqual({ first: [], forward: [], last: [] });
});

test("a peer whose host has moved costs one line", () => {
  const way = wayOf();
  const before = entriesBy(entriesOf(aSubnet(2, "192.0.2.2"), way));
  const after = entriesBy(entriesOf(aSubnet(2, "192.0.2.77"), way));
  const { device } = way.plan;
  expect(linesBetween(before, after, device)).toEqual({
    first: [],
    forward: [`fdb replace 02:4d:0a:f4:02:00 dev ${device} dst 192.0.2.77 self permanent`],
    last: [],
  });
});

test("a route that was made with another metric goes before the right one comes", () => {
  const { device } = wayOf().plan;
  const wanted = entriesBy(entriesOf(aSubnet(2, "192.0.2.2"), wayOf()));
  const route = [...wanted.values()].find(({ key }) => key === "10.244.2.0/24");
  if (route === undefined) throw new Error("no route");
  const present = new Map(wanted).set("route 10.244.2.0/24", {
    ...route,
    value: route.value.replace(/ metric .*/, ""),
  });
  expect(linesBetween(present, wanted, device)).toEqual({
    first: ["route del 10.244.2.0/24 proto 157"],
    forward: [],
    last: [`route replace 10.244.2.0/24 ${route.value} proto 157`],
  });
});

test("on the same link there is a route alone, with IPv6 only where the peer has such an address", () => {
  const tables = (settings: Partial<OverlayNetwork>, peer: OverlaySubnet) =>
    entriesOf(peer, wayOf(settings)).map(({ table, key }) => `${table} ${key}`);
  const near = aSubnet(2, "192.0.2.2", "2001:db8::2");
  expect(tables({ backend: "host-gw" }, near)).toEqual(["route 10.244.2.0/24", "route fd44:0:0:2::/64"]);
  expect(tables({ backend: "host-gw" }, aSubnet(2, "192.0.2.2"))).toEqual(["route 10.244.2.0/24"]);
  expect(tables({ backend: "host-gw" }, aSubnet(2, "198.51.100.2"))).toEqual([]);
  expect(tables({ directRouting: true }, aSubnet(2, "192.0.2.2"))).toHaveLength(4);
  expect(tables({ directRouting: true }, aSubnet(2, "198.51.100.2"))).toHaveLength(6);
  expect(tables({ backend: "bgp", directRouting: true }, near)).toEqual([]);
});

test("the kernel's routes read as they were written", () => {
  const [wanted] = entriesOf(aSubnet(2, "192.0.2.2"), wayOf()).filter(({ table }) => table === "route");
  const { device } = wayOf().plan;
  const flags = ["onlink"];
  expect(
    routeEntry({ dst: "10.244.2.0/24", gateway: "10.244.2.0", dev: device, prefsrc: "10.244.1.1", metric: 3, flags }),
  ).toEqual(wanted);
});

test("BIRD tells the host's own subnets alone, and believes no more than the network's ranges", () => {
  const { plan } = wayOf({ backend: "bgp", port: 179 });
  const peers = [
    aSubnet(1, "192.0.2.1", "2001:db8::1"),
    aSubnet(2, "192.0.2.2", "2001:db8::2"),
    aSubnet(3, "192.0.2.3"),
  ];
  const speaker = { uplink: "up0", ip: "192.0.2.1", ip6: "2001:db8::1" };
  expect(birdConfig([{ plan, peers }], speaker).trim().split("\n")).toEqual([
    "router id 10.244.1.0;",
    "protocol device { scan time 10; }",
    'protocol direct { ipv4; ipv6; interface "up0"; }',
    "protocol static own4 { ipv4; route 10.244.1.0/24 unreachable; }",
    "protocol static own6 { ipv6; route fd44:0:0:1::/64 unreachable; }",
    "protocol kernel kernel4 { ipv4 { import none; export where source = RTS_BGP; }; }",
    "protocol kernel kernel6 { ipv6 { import none; export where source = RTS_BGP; }; }",
    "protocol bgp peer0 { local 192.0.2.1 port 179 as 64512; neighbor 192.0.2.2 port 179 as 64512; connect delay time 1; connect retry time 3; error wait time 1, 5; hold time 9; ipv4 { import where net ~ [ 10.244.0.0/16+ ]; export where source = RTS_STATIC; next hop self; }; ipv6 { import where net ~ [ fd44::/48+ ]; export where source = RTS_STATIC; next hop address 2001:db8::1; }; }",
    "protocol bgp peer1 { local 192.0.2.1 port 179 as 64512; neighbor 192.0.2.3 port 179 as 64512; connect delay time 1; connect retry time 3; error wait time 1, 5; hold time 9; ipv4 { import where net ~ [ 10.244.0.0/16+ ]; export where source = RTS_STATIC; next hop self; }; }",
  ]);
});
