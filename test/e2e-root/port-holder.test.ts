import { expect } from "vitest";
import { plainNetwork } from "../../executors/src/agent/core/model.ts";
import { PortHolder } from "../../executors/src/networks/bridge/port-holder.ts";
import type { NetSpec } from "../../executors/src/world/nets.ts";
import { portFirst } from "./bridge.support.ts";
import { testWith } from "./machine.ts";

function aSpec(key: string, number: number): NetSpec {
  const ports = [{ label: "http", number, to: 8080, protocol: "", ip: "127.0.0.1" }];
  return { key, mode: "bridge", addressIndex: 1, subnets: [], ports, settings: plainNetwork };
}

testWith(["perl"], "ports that are asked for while the last connection is being closed are held", async () => {
  const holder = new PortHolder(`test${process.pid}`);
  try {
    await holder.hold(aSpec("first", portFirst));
    await holder.free("first");
    const closing = holder.close();
    await Promise.all([closing, holder.hold(aSpec("second", portFirst + 1))]);
    expect(await holder.keys()).toEqual(["second"]);
  } finally {
    await holder.free("second");
    await holder.close();
  }
});
