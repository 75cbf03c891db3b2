// biome-ignore-all lint/suspicious/noTemplateCurlyInString: constraints refer to properties so
import { noResources, resources, seededRandom } from "@muster/foundation";
import fc from "fast-check";
import { expect, test } from "vitest";
import { distinctHosts } from "./attr.ts";
import { fit, type Need, type Room } from "./fit.ts";
import { Matcher } from "./matcher.ts";

const room = (agentId: string, cpuMillis: number, memoryMiB: number, more: Partial<Room> = {}): Room => ({
  agentId,
  agentName: agentId,
  attributes: new Map(),
  available: resources({ cpuMillis, memoryMiB, portCount: 100 }),
  portsTaken: new Set(),
  dynamicPortFirst: 20_000,
  dynamicPortLast: 20_099,
  ...more,
});
const need = (cpuMillis: number, memoryMiB: number, more: Partial<Need> = {}): Need => ({
  resources: resources({ cpuMillis, memoryMiB }),
  dynamicPortCount: 0,
  staticPorts: [],
  constraints: [],
  ...more,
});

test("a fixed port that is taken on one address of a host, or for one protocol, is free elsewhere", () => {
  const attributes = new Map([
    ["host_network.private", "10.9.0.1"],
    ["host_network.public", "192.0.2.7"],
  ]);
  const inPart = { number: 80, protocol: "tcp", ip: "10.9.0.1" };
  const there = room("a", 10, 10, {
    attributes,
    portsTaken: new Set([80, 90]),
    portsInPart: new Map([[80, [inPart]]]),
  });
  const fits = (...staticPorts: Need["staticPorts"]) => fit(need(1, 1, { staticPorts }), there).fits;
  expect(fits({ number: 80, hostNetwork: "public" })).toBe(true);
  expect(fits({ number: 80, hostNetwork: "private", protocol: "udp" })).toBe(true);
  for (const port of [
    80,
    { number: 80 },
    { number: 80, hostNetwork: "private" },
    { number: 90, hostNetwork: "public" },
  ])
    expect(fits(port)).toBe(false);
});

test("of instances with one fixed port, each network of a host has room for one", () => {
  const attributes = new Map(["private", "public"].map((name, index) => [`host_network.${name}`, `10.9.0.${index}`]));
  const matcher = new Matcher([room("a", 10, 10, { attributes })], seededRandom(1));
  const placed = ["private", "public", "public", ""].map((hostNetwork) => {
    const wanted = need(1, 1, { staticPorts: [{ number: 80, hostNetwork }] });
    return "placed" in matcher.place(wanted, matcher.occupants([]));
  });
  expect(placed).toEqual([true, true, false, false]);
});

test("a no has its first reason with numbers", () => {
  const reason = (wanted: Need, there = room("a", 1_000, 256)) => {
    const answer = fit(wanted, there);
    return answer.fits ? undefined : answer.reason;
  };
  expect(reason(need(100, 512))).toBe("needs 512 MiB of memory, has 256");
  expect(reason(need(100, 100, { dynamicPortCount: 101 }))).toBe("needs 101 ports, has 100");
  expect(reason(need(1, 1, { staticPorts: [80] }), room("a", 10, 10, { portsTaken: new Set([80]) }))).toBe(
    "port 80 is taken",
  );
  const either = need(1, 1, { drivers: [["docker", "oci"]] });
  expect(reason(either, room("a", 10, 10, { drivers: ["process"] }))).toBe("driver docker or oci does not work there");
  for (const driver of ["docker", "oci"])
    expect(fit(either, room("a", 10, 10, { drivers: [driver] }))).toMatchObject({ fits: true });
  expect(reason(need(1, 1, { drivers: ["docker"] }), room("a", 10, 10, { drivers: ["process"] }))).toBe(
    "driver docker does not work there",
  );
});

test("a fixed port counts against the dynamic range only if it lies in it", () => {
  const none = { available: { ...noResources, cpuMillis: 10, memoryMiB: 10 } };
  expect(fit(need(1, 1, { staticPorts: [80] }), room("a", 0, 0, none)).fits).toBe(true);
  expect(fit(need(1, 1, { staticPorts: [20_005] }), room("a", 0, 0, none)).fits).toBe(false);
});

test("the room that gets fullest is taken, and neighbours are kept apart", () => {
  const matcher = new Matcher([room("big", 4_000, 4_000), room("small", 500, 500)], seededRandom("x"));
  const there = matcher.occupants([]);
  expect(matcher.place(need(400, 400), there)).toEqual({ placed: { agentId: "small", agentName: "small" } });
  expect(matcher.place(need(50, 50), there)).toEqual({ placed: { agentId: "big", agentName: "big" } });
});

test("two instances with one fixed port never meet on an agent", () => {
  const matcher = new Matcher([room("a", 1_000, 1_000)], seededRandom("x"));
  const wanted = need(1, 1, { staticPorts: [80] });
  const there = matcher.occupants([]);
  expect(matcher.place(wanted, there)).toHaveProperty("placed");
  expect(matcher.place(wanted, there)).toEqual({
    rejections: [{ agentId: "a", agentName: "a", reason: "port 80 is taken" }],
  });
});

test("distinct_property counts occupants of agents that have no room", () => {
  const rack = new Map([["meta.rack", "r1"]]);
  const full = { agentId: "full", agentName: "full", attributes: rack };
  const matcher = new Matcher([room("free", 1_000, 1_000, { attributes: rack })], seededRandom("x"), [full]);
  const constraint = { attribute: "${meta.rack}", operator: "distinct_property", value: "1" } as const;
  expect(matcher.place(need(1, 1, { constraints: [constraint] }), [{ agentId: "full" }])).toHaveProperty("rejections");
});

const rooms = fc.array(fc.tuple(fc.nat(1_000), fc.nat(1_000)), { minLength: 1, maxLength: 6 });
const needs = fc.array(fc.tuple(fc.nat(400), fc.nat(400)), { maxLength: 20 });

test("whatever is placed, no room is given more than it has", () => {
  fc.assert(
    fc.property(rooms, needs, (sizes, wants) => {
      const matcher = new Matcher(
        sizes.map(([cpu, memory], index) => room(`a${index}`, cpu, memory)),
        seededRandom("x"),
      );
      const used = sizes.map(() => [0, 0] as [number, number]);
      for (const [cpu, memory] of wants) {
        const found = matcher.place(need(cpu, memory), matcher.occupants([]));
        if (!("placed" in found)) {
          const fits = sizes.some(([c, m], i) => (used[i]?.[0] ?? 0) + cpu <= c && (used[i]?.[1] ?? 0) + memory <= m);
          expect(fits).toBe(false);
          continue;
        }
        const at = used[Number(found.placed.agentId.slice(1))];
        if (at) at[0] += cpu;
        if (at) at[1] += memory;
      }
      for (const [index, [cpu, memory]] of sizes.entries()) {
        expect(used[index]?.[0]).toBeLessThanOrEqual(cpu);
        expect(used[index]?.[1]).toBeLessThanOrEqual(memory);
      }
    }),
  );
});

test("one seed gives one set of placements, whatever the order of the rooms", () => {
  const all = Array.from({ length: 8 }, (_, index) => room(`a${index}`, 1_000, 1_000));
  const place = (list: readonly Room[], seed: string): string[] => {
    const matcher = new Matcher(list, seededRandom(seed));
    const there = matcher.occupants([]);
    return Array.from({ length: 5 }, () => {
      const found = matcher.place(need(100, 100, { constraints: [distinctHosts] }), there);
      return "placed" in found ? found.placed.agentId : "";
    });
  };
  expect(place(all, "1")).toEqual(place([...all].reverse(), "1"));
  expect(new Set(place(all, "1")).size).toBe(5);
});
