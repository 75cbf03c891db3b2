import { emptyMessage } from "@muster/foundation";
import type { OverlayChange, OverlayNetwork, OverlaySubnet } from "@muster/proto";
import { expect, test } from "vitest";
import { overlayNewsFromWire } from "./overlay-wire.ts";

const network: OverlayNetwork = {
  ...emptyMessage("OverlayNetwork"),
  name: "blue",
  cidr: "10.244.0.0/16",
  subnetPrefix: 24,
  backend: "vxlan",
  vni: 7,
  port: 4789,
};
const subnet: OverlaySubnet = {
  ...emptyMessage("OverlaySubnet"),
  network: "blue",
  agentId: "a-1",
  subnet: "10.244.1.0/24",
  underlayIp: "192.0.2.1",
};

function read(change: Partial<OverlayChange>): { types: string[]; faults: string[] } {
  const faults: string[] = [];
  const news = overlayNewsFromWire([{ ...emptyMessage("OverlayChange"), ...change }], ({ message }) => {
    faults.push(message);
  });
  return { types: news.map(({ type }) => type), faults };
}

test("news of each kind are taken, and an empty one is none", () => {
  expect(read({ network }).types).toEqual(["network"]);
  expect(read({ subnet }).types).toEqual(["subnet"]);
  expect(read({ removal: { network: "blue", agentId: "a-1" } }).types).toEqual(["removal"]);
  expect(read({ refusal: { network: "blue", reason: "full" } }).types).toEqual(["refusal"]);
  expect(read({ complete: true }).types).toEqual(["complete"]);
  expect(read({})).toEqual({ types: [], faults: [] });
});

test.each<[Partial<OverlayChange>, RegExp]>([
  [{ network: { ...network, name: "../x" } }, /overlay_changes\[0\]\.network\.name: "\.\.\/x" is no name/],
  [{ network: { ...network, cidr: "10.244.0.0/16\nlink del eth0" } }, /network\.cidr/],
  [{ network: { ...network, cidr6: "10.0.0.0/8" } }, /network\.cidr6/],
  [{ network: { ...network, backend: "gre" } }, /network\.backend: "gre" is not known/],
  [{ network: { ...network, vni: 2 ** 24 } }, /network\.vni/],
  [{ network: { ...network, port: 0 } }, /network\.port/],
  [{ subnet: { ...subnet, agentId: "" } }, /subnet: lacks its network or its agent/],
  [{ subnet: { ...subnet, subnet: "10.244.1.0/24; x" } }, /subnet\.subnet/],
  [{ subnet: { ...subnet, subnet6: "fd44::%eth0/64" } }, /subnet\.subnet6/],
  [{ subnet: { ...subnet, underlayIp: "host" } }, /subnet\.underlay_ip: "host" is no address/],
  [{ subnet: { ...subnet, underlayIp6: "192.0.2.1" } }, /subnet\.underlay_ip6/],
])("what can't be used is left out and told: %j", (change, message) => {
  const { types, faults } = read(change);
  expect(types).toEqual([]);
  expect(faults.join()).toMatch(message);
});
