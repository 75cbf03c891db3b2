import type { OverlaySubnet } from "@muster/proto";
import { afterEach, expect } from "vitest";
import { testWith } from "./machine.ts";
import { blue, Lan, news, tools } from "./overlay.support.ts";

const lan = Lan.use(afterEach);
const peerCount = 5_000;
/** As many as a real master puts into a message. */
const peersPerMessage = 2_000;
const wide = { ...blue, cidr: "10.128.0.0/10" };

function aPeer(number: number): OverlaySubnet {
  const underlayIp = `192.0.${number >> 8}.${number & 255}`;
  return {
    network: "blue",
    agentId: `peer-${number}`,
    subnet: `10.${128 + (number >> 8)}.${number & 255}.0/24`,
    subnet6: `fd44:0:0:${number.toString(16)}::/64`,
    underlayIp,
    underlayIp6: "",
  };
}

/** Milliseconds until a host of its own has taken in all of them. */
async function takenInMs(): Promise<number> {
  const host = lan.host();
  await host.start();
  const own = { ...aPeer(1), agentId: host.agentId, underlayIp: host.ip };
  const subnets = [own, ...Array.from({ length: peerCount }, (_, index) => aPeer(index + 2))];
  const before = performance.now();
  host.master.say(news({ network: wide }));
  for (let at = 0; at < subnets.length; at += peersPerMessage)
    host.master.say(news(...subnets.slice(at, at + peersPerMessage).map((subnet) => ({ subnet }))));
  host.master.say(news({ complete: true }));
  await host.untilMode("overlay/blue");
  const tookMs = performance.now() - before;
  expect(host.entries()).toHaveLength(peerCount * 5);
  return tookMs;
}

testWith(tools, "case 47: five thousand peers are in the kernel's tables within two seconds", async () => {
  // What else the machine does only makes it longer: the shortest of three is what it takes.
  const timesMs: number[] = [];
  while (timesMs.length < 3 && timesMs.every((ms) => ms >= 2_000)) timesMs.push(await takenInMs());
  expect(Math.min(...timesMs)).toBeLessThan(2_000);
});
