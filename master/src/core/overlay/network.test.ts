import { expect, test } from "vitest";
import { parseOverlays, subnetCount, subnetsAt } from "./network.ts";

const parseOne = (text: string) => {
  const [one] = parseOverlays([text]);
  if (!one) throw new Error("nothing was parsed");
  return one;
};

test("a network needs a name and a range; the rest has defaults", () => {
  expect(parseOne("blue 10.244.0.0/16")).toEqual({
    name: "blue",
    cidr: "10.244.0.0/16",
    cidr6: "",
    subnetPrefix: 24,
    backend: "vxlan",
    vni: 4096,
    port: 4789,
    directRouting: false,
  });
  const all = "g 10.0.0.0/12 fd44::/48 subnet_prefix=26 backend=host-gw vni=9 port=8472 direct_routing=true";
  expect(parseOne(all)).toEqual({
    name: "g",
    cidr: "10.0.0.0/12",
    cidr6: "fd44::/48",
    subnetPrefix: 26,
    backend: "host-gw",
    vni: 9,
    port: 8472,
    directRouting: true,
  });
});

test.each([
  [["Blue 10.244.0.0/16"], /"Blue" is no name/],
  [["blue"], /overlays\.blue: has no IPv4 range/],
  [["blue 10.244.0.0"], /"10.244.0.0" is no range/],
  [["blue 10.244.1.0/16"], /does not begin at its first address, 10\.244\.0\.0/],
  [["blue 10.0.0.0/4"], /prefix of 10\.0\.0\.0\/4 must be 8 to 29/],
  [["blue 10.244.0.0/16 fd44::/80"], /prefix of fd44::\/80 must be 32 to 64/],
  [["blue 10.244.0.0/16 subnet_prefix=15"], /overlays\.blue\.subnet_prefix: must be 16 to 29/],
  [["blue 10.244.0.0/16 backend=gre"], /overlays\.blue\.backend: must be one of vxlan, host-gw, bgp/],
  [["blue 10.244.0.0/16 vni=0"], /overlays\.blue\.vni: must be 1 to 16777215/],
  [["blue 10.244.0.0/16 port=0"], /overlays\.blue\.port/],
  [["blue 10.244.0.0/16 prot=1"], /overlays\.blue\.prot: is no setting/],
  [["blue 10.244.0.0/16", "blue 10.245.0.0/16"], /overlays\.blue: is set twice/],
  [["blue 10.244.0.0/16", "red 10.0.0.0/8"], /overlays\.red: 10\.0\.0\.0\/8 overlaps 10\.244\.0\.0\/16 of blue/],
  [["blue 10.1.0.0/16 fd44::/48", "red 10.2.0.0/16 fd44:0:0:1::/64"], /overlays\.red: fd44:0:0:1::\/64 overlaps/],
  [["blue 10.1.0.0/16 vni=5", "red 10.2.0.0/16 vni=5"], /overlays\.red\.vni: 5 is that of blue/],
  [Array.from({ length: 17 }, (_, n) => `n${n} 10.${n}.0.0/16`), /at most 16 networks/],
])("what is wrong with %j is told with its place", (texts, message) => {
  expect(() => parseOverlays(texts)).toThrow(message);
});

test("subnets follow one another, and there are as many as both ranges have", () => {
  const blue = parseOne("blue 10.244.0.0/16 fd44::/48");
  expect(subnetCount(blue)).toBe(256);
  expect(subnetsAt(blue, 0)).toEqual({ subnet: "10.244.0.0/24", subnet6: "fd44::/64" });
  expect(subnetsAt(blue, 255)).toEqual({ subnet: "10.244.255.0/24", subnet6: "fd44:0:0:ff::/64" });
  const odd = parseOne("odd 10.16.0.0/12 fd44::/60 subnet_prefix=22");
  expect(subnetCount(odd)).toBe(16);
  expect(subnetsAt(odd, 3)).toEqual({ subnet: "10.16.12.0/22", subnet6: "fd44:0:0:3::/64" });
  expect(subnetsAt(parseOne("wide 10.0.0.0/8"), 65_535).subnet).toBe("10.255.255.0/24");
});
