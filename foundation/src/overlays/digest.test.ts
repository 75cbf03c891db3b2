import type { OverlayNetwork, OverlaySubnet } from "@muster/proto";
import { expect, test } from "vitest";
import { emptyMessage } from "../rpc/codec.ts";
import { overlayDigest } from "./digest.ts";

const blue: OverlayNetwork = { ...emptyMessage("OverlayNetwork"), name: "blue", cidr: "10.0.0.0/8", vni: 7 };
const subnets = Array.from({ length: 5_000 }, (_, index): OverlaySubnet => {
  const subnet = `10.${index >> 8}.${index & 255}.0/24`;
  return { network: "blue", agentId: `agent-${index}`, subnet, subnet6: "", underlayIp: "192.0.2.1", underlayIp6: "" };
});

test("the same in another order is the same, and any difference is another", () => {
  const whole = overlayDigest([blue], subnets);
  expect(overlayDigest([blue], [...subnets].reverse())).toBe(whole);
  const [first, second, ...rest] = subnets as [OverlaySubnet, OverlaySubnet, ...OverlaySubnet[]];
  const others = [
    [second, ...rest],
    [{ ...first, underlayIp: "192.0.2.2" }, second, ...rest],
    // Two agents that have changed places.
    [{ ...first, subnet: second.subnet }, { ...second, subnet: first.subnet }, ...rest],
  ].map((some) => overlayDigest([blue], some));
  expect(new Set([whole, ...others, overlayDigest([{ ...blue, vni: 8 }], subnets)]).size).toBe(5);
  expect(overlayDigest([], [])).toBe("");
});
