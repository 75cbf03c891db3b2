import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { afterEach, expect } from "vitest";
import { findNetworkModes } from "../../executors/src/agent/fingerprint/network-modes.ts";
import { bridgeDefaults } from "../../executors/src/networks/bridge/settings.ts";
import { cniDefaults } from "../../executors/src/networks/cni/settings.ts";
import { tools } from "./bridge.support.ts";
import { testWith } from "./machine.ts";

const probeOf = (pid: number): string => `muster-probe-${pid}`;
const living = probeOf(process.ppid);
const namespaces = (): string[] => readdirSync("/run/netns");

afterEach(() => void spawnSync("ip", ["netns", "del", living]));

testWith(tools, "what an agent that was killed has left of its look at networks goes at the next one's", async () => {
  const ended = spawnSync("true").pid;
  for (const name of [probeOf(ended), living]) spawnSync("ip", ["netns", "add", name]);
  expect(namespaces()).toEqual(expect.arrayContaining([probeOf(ended), living]));
  await findNetworkModes("probes01", bridgeDefaults, cniDefaults);
  expect(namespaces()).toContain(living);
  expect(namespaces()).not.toContain(probeOf(ended));
});
