import { expect, test } from "vitest";
import { plainNetwork } from "../../agent/core/model.ts";
import { addLimits, isWhole, limitsConnections, readLimits } from "./connections.ts";
import { type LimitedGroup, limitsOf, problemOfLimits, shaperOf } from "./limits.ts";
import { disciplinesOf, rateLines, readDisciplines } from "./rates.ts";

const owner = "0123abcd";
const none = { downMbit: undefined, upMbit: undefined, connections: undefined, connectionsPerSecond: undefined };

function aGroup(limits: Partial<LimitedGroup["limits"]>): LimitedGroup {
  return { id: "k-1.0", link: "mv1", ips: ["10.78.0.4", "fd78::4"], limits: { ...none, ...limits } };
}

test("a network without bounds has none, and bounds out of range are named with their field", () => {
  expect(limitsOf(plainNetwork)).toBeUndefined();
  expect(limitsOf({ ...plainNetwork, upMbitMax: 5 })).toEqual({ ...none, upMbit: 5 });
  expect(problemOfLimits({ ...plainNetwork, upMbitMax: 5, connectionsMax: 1_000_000 })).toBe("");
  expect(problemOfLimits({ ...plainNetwork, downMbitMax: 0 })).toBe("network.down_mbit_max: must be 1 to 400000");
});

test("a bucket holds what comes in a tick of the kernel's clock, and a large packet at the least", () => {
  const burst = (downMbit: number): number =>
    Number(/burst (\d+)/.exec(rateLines(owner, aGroup({ downMbit })).join())?.[1]);
  expect(burst(1)).toBe(128 * 1024);
  expect(burst(1_000)).toBe(1_250_000);
});

test("each direction has disciplines of its own, by which it is known whether they are there", () => {
  const both = aGroup({ downMbit: 100, upMbit: 50 });
  const shaper = shaperOf(owner, "k-1.0");
  expect(shaper.length).toBeLessThanOrEqual(15);
  expect(disciplinesOf(owner, both)).toEqual(["mv1 tbf", `${shaper} tbf`, "mv1 ingress"]);
  expect(rateLines(owner, aGroup({ upMbit: 50 })).some((line) => line.startsWith("qdisc replace dev mv1 root"))).toBe(
    false,
  );
  const json = JSON.stringify([
    { kind: "tbf", dev: "mv1" },
    { kind: "ingress", dev: "mv1" },
    { kind: "tbf", dev: shaper },
  ]);
  expect(disciplinesOf(owner, both).every((one) => readDisciplines(json).has(one))).toBe(true);
  expect(readDisciplines("").size).toBe(0);
});

test("what is listed of a group is whole with all its rules and addresses, and not with fewer", () => {
  const group = aGroup({ connections: 10, connectionsPerSecond: 5 });
  expect(limitsConnections(group)).toBe(true);
  expect(limitsConnections(aGroup({ downMbit: 1 }))).toBe(false);
  expect(addLimits(owner, group)).toContain("group-k-1.0 ct count over 10 reject");
  const shared = Array.from({ length: 8 }, () => ({ rule: { chain: "forward" } }));
  const listed = (ruleCount: number, ips: readonly string[]) =>
    readLimits(
      JSON.stringify({
        nftables: [
          { chain: { name: "group-k-1.0" } },
          { map: { elem: ips.map((ip) => [ip, { jump: { target: "group-k-1.0" } }]) } },
          ...shared,
          ...Array.from({ length: ruleCount }, () => ({ rule: { chain: "group-k-1.0" } })),
        ],
      }),
    );
  expect(listed(2, group.ips)).toMatchObject({ hooked: true });
  expect(isWhole(group, listed(2, group.ips).groups)).toBe(true);
  expect(isWhole(group, listed(1, group.ips).groups)).toBe(false);
  expect(isWhole(group, listed(2, ["10.78.0.4"]).groups)).toBe(false);
  expect(isWhole(group, new Map())).toBe(false);
});
