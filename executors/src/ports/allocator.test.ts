import { seededRandom } from "@muster/foundation";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createPorts, releasePorts, takeDynamicPort, takePort } from "./allocator.ts";

const none = new Set<number>();

test("case 50: a released port is not given again before its delay while others are free", () => {
  const ports = createPorts(20_000, 20_009, 60_000);
  const random = seededRandom("delay");
  const first = takeDynamicPort(ports, "a", random, 0, none) as number;
  releasePorts(ports, "a", [first], 1_000);
  for (let i = 0; i < 9; i++) expect(takeDynamicPort(ports, "b", random, 2_000, none)).not.toBe(first);
});

test("case 51: in a nearly full range the port that was released first is given again", () => {
  const ports = createPorts(20_000, 20_003, 60_000);
  const random = seededRandom("tight");
  for (const port of [20_000, 20_001, 20_002, 20_003]) takePort(ports, port, "", "a");
  releasePorts(ports, "a", [20_002], 1_000);
  releasePorts(ports, "a", [20_000], 2_000);
  expect(takeDynamicPort(ports, "b", random, 3_000, none)).toBe(20_002);
  expect(takeDynamicPort(ports, "b", random, 3_000, none)).toBe(20_000);
  expect(takeDynamicPort(ports, "b", random, 3_000, none)).toBeUndefined();
});

test("case 54: the same port may be held for tcp by one and for udp by another", () => {
  const ports = createPorts(20_000, 20_003, 60_000);
  expect(takePort(ports, 53, "tcp", "a")).toBeUndefined();
  expect(takePort(ports, 53, "udp", "b")).toBeUndefined();
  expect(takePort(ports, 53, "udp", "c")).toBe("b");
  expect(takePort(ports, 53, "", "c")).toBe("a");
});

test("a port may be held on one address by one and on another by the next; on every address it is held by one alone", () => {
  const ports = createPorts(20_000, 20_003, 60_000);
  expect(takePort(ports, 80, "", "a", "10.0.0.1")).toBeUndefined();
  expect(takePort(ports, 80, "", "b", "10.0.0.2")).toBeUndefined();
  expect(takePort(ports, 80, "tcp", "c", "10.0.0.2")).toBe("b");
  expect(takePort(ports, 80, "tcp", "c")).toBe("a");
  releasePorts(ports, "a", [80], 0);
  releasePorts(ports, "b", [80], 0);
  expect(takePort(ports, 80, "tcp", "c")).toBeUndefined();
  expect(takePort(ports, 80, "", "a", "10.0.0.1")).toBe("c");
  expect(takePort(ports, 80, "udp", "a", "10.0.0.1")).toBeUndefined();
});

test("a port that is held for one protocol is not given as a dynamic one", () => {
  const ports = createPorts(20_000, 20_000, 60_000);
  takePort(ports, 20_000, "udp", "a");
  expect(takeDynamicPort(ports, "b", seededRandom("one"), 0, none)).toBeUndefined();
});

const places = fc.constantFrom("", "10.0.0.1", "10.0.0.2");
const protocols = fc.constantFrom("", "tcp", "udp");
const placed = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        taker: fc.nat(4),
        port: fc.integer({ min: 80, max: 83 }),
        ip: places,
        protocol: protocols,
      }),
    },
    { weight: 1, arbitrary: fc.record({ taker: fc.nat(4), released: fc.constant(true) }) },
  ),
  { maxLength: 100 },
);

test("over any fixed ports on any addresses, a port is refused exactly while somebody holds a part of it", () => {
  fc.assert(
    fc.property(placed, (list) => {
      const ports = createPorts(20_000, 20_001, 0);
      let held: { taker: string; port: number; ip: string; protocol: string }[] = [];
      const overlap = (one: string, other: string): boolean => one === "" || other === "" || one === other;
      for (const step of list) {
        const taker = `t${step.taker}`;
        if ("released" in step) {
          releasePorts(ports, taker, [80, 81, 82, 83], 0);
          held = held.filter((each) => each.taker !== taker);
          continue;
        }
        const { port, ip, protocol } = step;
        const others = held.filter(
          (each) => each.port === port && overlap(each.ip, ip) && overlap(each.protocol, protocol),
        );
        const holder = takePort(ports, port, protocol, taker, ip);
        if (others.length === 0) expect(holder).toBeUndefined();
        else expect(others.map((each) => each.taker)).toContain(holder);
        if (holder === undefined) held.push({ taker, port, ip, protocol });
      }
      expect([...ports.held.keys()].sort()).toEqual([...new Set(held.map(({ port }) => port))].sort());
    }),
    { numRuns: 200 },
  );
});

const steps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant("dynamic" as const), taker: fc.nat(6) }),
    fc.record({ do: fc.constant("static" as const), taker: fc.nat(6), port: fc.integer({ min: 19_995, max: 20_015 }) }),
    fc.record({ do: fc.constant("release" as const), taker: fc.nat(6) }),
    fc.record({ do: fc.constant("wait" as const), ms: fc.nat(90_000) }),
    fc.record({ do: fc.constant("restart" as const) }),
  ),
  { maxLength: 200 },
);

test("case 53: over any allocations, releases and restarts no port has two holders and none is lost", () => {
  fc.assert(
    fc.property(steps, fc.integer(), (list, seed) => {
      let ports = createPorts(20_000, 20_011, 60_000);
      const random = seededRandom(seed);
      const holders = new Map<string, Set<number>>();
      const everyHeld = () => [...holders.values()].flatMap((set) => [...set]);
      let nowMs = 0;
      for (const step of list) {
        if (step.do === "wait") nowMs += step.ms;
        else if (step.do === "restart") {
          ports = createPorts(20_000, 20_011, 60_000);
          for (const [taker, set] of holders)
            for (const port of set) expect(takePort(ports, port, "", taker)).toBe(undefined);
        } else {
          const taker = `t${step.taker}`;
          const mine = holders.get(taker) ?? new Set();
          holders.set(taker, mine);
          const before = everyHeld();
          if (step.do === "dynamic") {
            const port = takeDynamicPort(ports, taker, random, nowMs, none);
            const inRange = before.filter((held) => held >= 20_000 && held <= 20_011);
            if (port === undefined) expect(inRange.length).toBe(12);
            else {
              expect(before).not.toContain(port);
              expect(port >= 20_000 && port <= 20_011).toBe(true);
              mine.add(port);
            }
          } else if (step.do === "static") {
            const holder = takePort(ports, step.port, "", taker);
            expect(holder === undefined).toBe(!before.includes(step.port));
            if (holder === undefined) mine.add(step.port);
          } else {
            releasePorts(ports, taker, mine, nowMs);
            releasePorts(ports, taker, mine, nowMs);
            mine.clear();
          }
        }
        expect([...ports.held.keys()].sort()).toEqual(everyHeld().sort());
      }
    }),
    { numRuns: 200 },
  );
});
