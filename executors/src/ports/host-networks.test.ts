import { expect, test } from "vitest";
import { findHostNetworks, parseHostNetworks } from "./host-networks.ts";

const addresses = [
  { device: "eth0", address: "2001:db8::7" },
  { device: "eth0", address: "192.0.2.7" },
  { device: "eth1", address: "10.1.2.3" },
  { device: "eth2", address: "fd00::3" },
];

test("a network of the host is the first address that is in its range, or on its link", () => {
  const rules = parseHostNetworks("private=10.0.0.0/8, public=eth0,six=fd00::/8,gone=172.16.0.0/12,none=eth9", "x");
  expect(findHostNetworks(rules, addresses)).toEqual({
    networks: [
      { name: "private", ip: "10.1.2.3" },
      { name: "public", ip: "192.0.2.7" },
      { name: "six", ip: "fd00::3" },
    ],
    lacking: [
      { name: "gone", reason: "no address of the host is in 172.16.0.0/12" },
      { name: "none", reason: "no link eth9 with an address" },
    ],
  });
});

test.each([
  ["private", /is not NAME=CIDR or NAME=INTERFACE/],
  ["private=10.0.0.0/33", /is not NAME=CIDR/],
  ["a b=eth0", /is not NAME=CIDR/],
  ["a=a-link-with-a-long-name", /is not NAME=CIDR/],
  ["a=eth0,a=eth1", /"a" is named twice/],
  ["default=eth0", /every address/],
])("%s is refused", (text, message) => {
  expect(() => parseHostNetworks(text, "hostNetworks")).toThrow(message);
});

test("no text is no network", () => expect(parseHostNetworks("", "hostNetworks")).toEqual([]));
