import { MusterError } from "@muster/foundation";
import fc from "fast-check";
import { expect, test } from "vitest";
import { gatewayOf, groupAddress, groupsIn, overlaps, parseSubnet } from "./subnets.ts";

const v4 = parseSubnet("10.78.16.0/20", "ipv4", "bridgeSubnet");
const v6 = parseSubnet("fd78:0:0:1::/64", "ipv6", "bridgeSubnet6");

test("the bridge has the first address, groups have those after it, across bytes", () => {
  expect([gatewayOf(v4), groupAddress(v4, 1), groupAddress(v4, 254), groupAddress(v4, 255)]).toEqual([
    "10.78.16.1",
    "10.78.16.2",
    "10.78.16.255",
    "10.78.17.0",
  ]);
  expect([gatewayOf(v6), groupAddress(v6, 1), groupAddress(v6, 65_535)]).toEqual([
    "fd78:0:0:1::1",
    "fd78:0:0:1::2",
    "fd78::1:0:0:1:0",
  ]);
});

test("the last group of a subnet is below its address for broadcasts", () => {
  expect(groupsIn(v4)).toBe(4_093);
  expect(groupAddress(v4, 4_093)).toBe("10.78.31.254");
  expect(groupsIn(parseSubnet("10.0.0.0/29", "ipv4", "bridgeSubnet"))).toBe(5);
});

test("no two groups have the same address, and all lie in the subnet", () => {
  const index = fc.integer({ min: 1, max: groupsIn(v4) });
  fc.assert(
    fc.property(index, index, (a, b) => {
      expect(groupAddress(v4, a) === groupAddress(v4, b)).toBe(a === b);
      expect(overlaps(v4, `${groupAddress(v4, a)}/32`)).toBe(true);
      expect(overlaps(v6, `${groupAddress(v6, a)}/128`)).toBe(true);
    }),
  );
});

test.each([
  ["10.78.0.0/16", true],
  ["10.78.31.255/32", true],
  ["0.0.0.0/0", true],
  ["10.78.32.0/20", false],
  ["fd78::/64", false],
  ["no subnet", false],
])("10.78.16.0/20 and %s overlap: %s", (other, expected) => {
  expect(overlaps(v4, other)).toBe(expected);
});

test.each([
  ["10.78.0.1/20", "does not begin"],
  ["10.78.0.0", "is no subnet"],
  ["fd78::/64", "is no subnet of ipv4"],
  ["10.78.0.0/30", "prefix"],
])("%s is refused, naming the field: %s", (text, words) => {
  const read = () => parseSubnet(text, "ipv4", "bridgeSubnet");
  expect(read).toThrow(MusterError);
  expect(read).toThrow(new RegExp(`^bridgeSubnet: .*${words}`));
});
