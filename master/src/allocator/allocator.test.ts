import { resources } from "@muster/foundation";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Allocator } from "./allocator.ts";
import { type Action, Both, roleNames } from "./beside-naive.test.fixture.ts";
import { noBound } from "./bound.ts";

const amount = fc.record({ cpuMillis: fc.nat(4_000), memoryMiB: fc.nat(8_192) }).map((some) => resources(some));
const member = fc.record({ id: fc.constantFrom("f1", "f2", "f3", "f4"), role: fc.constantFrom(...roleNames) });
const bounded = fc.option(fc.nat(12_000), { nil: Number.POSITIVE_INFINITY });
const quota = fc.record({
  guarantee: amount,
  limit: fc.record({ cpuMillis: bounded, memoryMiB: bounded }).map((some) => ({ ...noBound, ...some })),
});
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ type: fc.constant("hold" as const), member, amount }),
  fc.record({ type: fc.constant("release" as const), member }),
  fc.record({ type: fc.constant("eager" as const), member, isEager: fc.boolean() }),
  fc.record({ type: fc.constant("eager" as const), member, isEager: fc.constant(true) }),
  fc.record({
    type: fc.constant("weight" as const),
    role: fc.constantFrom(...roleNames),
    weight: fc.integer({ min: 1, max: 5 }),
  }),
  fc.record({
    type: fc.constant("quota" as const),
    role: fc.constantFrom(...roleNames),
    quota: fc.option(quota, { nil: undefined }),
  }),
  fc.record({ type: fc.constant("total" as const), amount }),
  fc.record({ type: fc.constant("forget" as const), member }),
  fc.record({
    type: fc.constant("reserve" as const),
    role: fc.constantFrom(...roleNames),
    amount,
    pick: fc.nat(7),
    isRefinement: fc.boolean(),
  }),
  fc.record({ type: fc.constant("unreserve" as const), pick: fc.nat(7) }),
  fc.record({ type: fc.constant("use" as const), member, amount, pick: fc.nat(7), rolePick: fc.nat(7) }),
  fc.record({ type: fc.constant("use" as const), member, amount, pick: fc.nat(7), rolePick: fc.nat(7) }),
  fc.record({ type: fc.constant("end-use" as const), pick: fc.nat(7) }),
);

test("who is asked, and in which order, is what computing everything anew says", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60, size: "max" }), (actions) => {
      const both = new Both();
      for (const done of actions) {
        both.do(done);
        expect(both.asked()).toEqual(both.naive.order().map(({ role, id }) => `${role} ${id}`));
      }
    }),
    { numRuns: 60 },
  );
});

test("how much a role may have is the most that breaks no limit and puts no guarantee at risk", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 30, size: "max" }), (actions) => {
      const both = new Both();
      for (const done of actions) both.do(done);
      const { allocator, naive } = both;
      expect(allocator.available).toEqual(naive.available);
      for (const role of allocator.roles.values())
        for (const name of ["cpuMillis", "memoryMiB"] as const) {
          const most = Math.max(0, allocator.allowance(role)?.[name] ?? Number.POSITIVE_INFINITY);
          const asked = Math.min(most, 50_000);
          const mayHaveAny = naive.mayHave(role.name, name, 0, naive.available);
          // A role that is above its limit may have nothing more.
          if (asked > 0 || mayHaveAny) expect(naive.mayHave(role.name, name, asked, naive.available)).toBe(true);
          if (asked < 50_000) expect(naive.mayHave(role.name, name, asked + 1, naive.available)).toBe(false);
        }
    }),
  );
});

test("each step leaves what an allocator has that is told of the outcome alone, reservations and quotas included", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40, size: "max" }), (actions) => {
      const both = new Both();
      for (const done of actions) {
        both.do(done);
        const kept = both.allocator;
        const picture = both.picture();
        both.beginAnew();
        expect(picture).toEqual(both.picture());
        both.allocator = kept;
      }
    }),
    { numRuns: 60 },
  );
});

test("roles whose guarantee is not kept are all asked, in the order of shares", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40, size: "max" }), (actions) => {
      const both = new Both();
      for (const done of actions) both.do(done);
      const asked = both.askedFirst();
      const { naive } = both;
      const isOwed = (role: string): boolean =>
        (["cpuMillis", "memoryMiB"] as const).some((name) => naive.need(name, role, 1) < naive.need(name));
      const order = naive.order().map(({ role, id }) => ({ role, name: `${role} ${id}` }));
      expect(order.filter(({ name }) => asked.includes(name)).map(({ name }) => name)).toEqual(asked);
      for (const { role, name } of order) if (isOwed(role)) expect(asked).toContain(name);
    }),
  );
});

test("case 63: equal roles with endless demand differ by at most one agent, also within a tree", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...roleNames), { minLength: 1, maxLength: 8 }), fc.nat(60), (names, count) => {
      const allocator = new Allocator();
      allocator.setTotal(resources({ cpuMillis: 4_000 * count, memoryMiB: 4_096 * count }));
      const tops = [...new Set(names.map((name) => name.split("/")[0] as string))];
      for (const name of new Set(names)) allocator.setEager(allocator.member({ id: `of ${name}` }, name), true);
      for (let agent = 0; agent < count; agent++) {
        const next = allocator.next(() => true);
        if (next) allocator.hold(next, resources({ cpuMillis: 4_000, memoryMiB: 4_096 }), true);
      }
      const agents = tops.map((name) => allocator.role(name).held.cpuMillis / 4_000);
      expect(Math.max(...agents) - Math.min(...agents)).toBeLessThanOrEqual(1);
      expect(agents.reduce((sum, one) => sum + one, 0)).toBe(count);
    }),
  );
});

test("case 65: a has children x and y beside b: b gets half, x and y a quarter each", () => {
  const allocator = new Allocator();
  allocator.setTotal(resources({ cpuMillis: 40_000 }));
  const owner = { id: "f" };
  for (const name of ["a/x", "a/y", "b"]) allocator.setEager(allocator.member(owner, name), true);
  for (let i = 0; i < 40; i++) {
    const next = allocator.next(() => true);
    if (next) allocator.hold(next, resources({ cpuMillis: 1_000 }), true);
  }
  expect(["a", "a/x", "a/y", "b"].map((name) => allocator.role(name).held.cpuMillis)).toEqual([
    20_000, 10_000, 10_000, 20_000,
  ]);
});

test("a role with three times the weight gets three times as much", () => {
  const allocator = new Allocator();
  allocator.setTotal(resources({ cpuMillis: 40_000 }));
  allocator.setWeight("b", 3_000);
  const one = allocator.member({ id: "f1" }, "a");
  const two = allocator.member({ id: "f2" }, "b");
  allocator.setEager(one, true);
  allocator.setEager(two, true);
  for (let i = 0; i < 40; i++) {
    const next = allocator.next(() => true);
    if (next) allocator.hold(next, resources({ cpuMillis: 1_000 }), true);
  }
  expect([one.held.cpuMillis, two.held.cpuMillis]).toEqual([10_000, 30_000]);
});

test("those who say no are asked in the order of shares, and keep their place", () => {
  const allocator = new Allocator();
  allocator.setTotal(resources({ cpuMillis: 1_000 }));
  for (const id of ["f3", "f1", "f2"]) allocator.setEager(allocator.member({ id }, "a"), true);
  const asked: string[] = [];
  const refuse = ({ name }: { name: string }): boolean => {
    asked.push(name);
    return false;
  };
  expect(allocator.next(refuse)).toBeUndefined();
  expect(asked).toEqual(["f1", "f2", "f3"]);
  expect(allocator.next(() => true)?.name).toBe("f1");
});

test("a guarantee that is taken back from a role nobody works for is kept for nobody", () => {
  const allocator = new Allocator();
  allocator.setTotal(resources({ cpuMillis: 4_000 }));
  const quota = { guarantee: resources({ cpuMillis: 3_000 }), limit: noBound };
  allocator.setQuota("a", quota);
  allocator.setQuota("a/b", quota);
  const other = allocator.role("other");
  expect(allocator.allowance(other)?.cpuMillis).toBe(1_000);
  allocator.setQuota("a/b", undefined);
  allocator.setQuota("a", undefined);
  allocator.setQuota("a", quota);
  expect(allocator.allowance(other)?.cpuMillis).toBe(1_000);
});

test("a member that is forgotten leaves no role behind, nor those above it", () => {
  const allocator = new Allocator();
  const forgotten = allocator.member({ id: "f1" }, "a/b/c");
  allocator.setEager(forgotten, true);
  allocator.removeMember(forgotten);
  expect(allocator.hasEager).toBe(false);
  expect(allocator.hasOpen).toBe(false);
  expect(allocator.roles.size).toBe(0);
});
