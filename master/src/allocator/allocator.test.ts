import { addResources, noResources, type Resources, resources, subtractResources } from "@muster/foundation";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Allocator } from "./allocator.ts";
import { noBound } from "./bound.ts";
import { NaiveAllocator } from "./naive.test.fixture.ts";

const roleNames = ["a", "a/x", "a/x/1", "a/y", "a-b", "b", "b/x", "c"];
const amount = fc.record({ cpuMillis: fc.nat(4_000), memoryMiB: fc.nat(8_192) }).map((some) => resources(some));
const member = fc.record({ id: fc.constantFrom("f1", "f2", "f3", "f4"), role: fc.constantFrom(...roleNames) });
const bounded = fc.option(fc.nat(12_000), { nil: Number.POSITIVE_INFINITY });
const quota = fc.record({
  guarantee: amount,
  limit: fc.record({ cpuMillis: bounded, memoryMiB: bounded }).map((some) => ({ ...noBound, ...some })),
});
const action = fc.oneof(
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
);

/** One allocator beside the naive one; whatever is done to one is done to the other. */
class Both {
  readonly allocator = new Allocator();
  readonly naive = new NaiveAllocator();

  constructor() {
    this.setTotal(resources({ cpuMillis: 10_000, memoryMiB: 10_000 }));
  }

  setTotal(total: Resources): void {
    this.naive.total = total;
    this.allocator.setTotal(total);
  }

  get available(): Resources {
    const held = this.naive.members.reduce((sum, one) => addResources(sum, one.held), noResources);
    return subtractResources(this.naive.total, held);
  }

  do(done: (typeof action extends fc.Arbitrary<infer A> ? A : never) | { type: "nothing" }): void {
    const { allocator, naive } = this;
    if (done.type === "hold") {
      const known = naive.member(done.member.id, done.member.role);
      known.held = addResources(known.held, done.amount);
      allocator.hold(allocator.member(known.id, known.role), done.amount, true);
    } else if (done.type === "release") {
      const known = naive.member(done.member.id, done.member.role);
      allocator.release(allocator.member(known.id, known.role), known.held, true);
      known.held = noResources;
    } else if (done.type === "eager") {
      naive.member(done.member.id, done.member.role).isEager = done.isEager;
      allocator.setEager(allocator.member(done.member.id, done.member.role), done.isEager);
    } else if (done.type === "weight") {
      naive.weights.set(done.role, done.weight * 1_000);
      allocator.setWeight(done.role, done.weight * 1_000);
    } else if (done.type === "quota") {
      if (done.quota) naive.quotas.set(done.role, done.quota);
      else naive.quotas.delete(done.role);
      allocator.setQuota(done.role, done.quota);
    } else if (done.type === "total") {
      this.setTotal(done.amount);
    } else if (done.type === "forget") {
      const index = naive.members.findIndex((one) => one.id === done.member.id && one.role === done.member.role);
      const known = naive.members[index];
      if (known === undefined) return;
      naive.members.splice(index, 1);
      allocator.release(allocator.member(known.id, known.role), known.held, true);
      allocator.removeMember(allocator.member(known.id, known.role));
    }
  }

  /** Everybody in the order in which they are asked. */
  asked(): string[] {
    const asked: string[] = [];
    this.allocator.next(({ frameworkId, role }) => {
      asked.push(`${role.name} ${frameworkId}`);
      return false;
    });
    return asked;
  }
}

test("who is asked, and in which order, is what computing everything anew says", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const both = new Both();
      for (const done of actions) {
        both.do(done);
        expect(both.asked()).toEqual(both.naive.order().map(({ role, id }) => `${role} ${id}`));
      }
    }),
  );
});

test("how much a role may have is the most that breaks no limit and puts no guarantee at risk", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 30 }), (actions) => {
      const both = new Both();
      for (const done of actions) both.do(done);
      const { allocator, naive } = both;
      expect(allocator.available).toEqual(both.available);
      for (const role of allocator.roles.values())
        for (const name of ["cpuMillis", "memoryMiB"] as const) {
          const most = Math.max(0, allocator.allowance(role)?.[name] ?? Number.POSITIVE_INFINITY);
          const asked = Math.min(most, 50_000);
          const mayHaveAny = naive.mayHave(role.name, name, 0, both.available);
          // A role that is above its limit may have nothing more.
          if (asked > 0 || mayHaveAny) expect(naive.mayHave(role.name, name, asked, both.available)).toBe(true);
          if (asked < 50_000) expect(naive.mayHave(role.name, name, asked + 1, both.available)).toBe(false);
        }
    }),
  );
});

test("roles whose guarantee is not kept are all asked, in the order of shares", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      const both = new Both();
      for (const done of actions) both.do(done);
      const asked: string[] = [];
      both.allocator.nextPromised(({ frameworkId, role }) => {
        asked.push(`${role.name} ${frameworkId}`);
        return false;
      });
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
      for (const name of names) allocator.setEager(allocator.member(`of ${name}`, name), true);
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
  for (const name of ["a/x", "a/y", "b"]) allocator.setEager(allocator.member("f", name), true);
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
  const one = allocator.member("f1", "a");
  const two = allocator.member("f2", "b");
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
  for (const id of ["f3", "f1", "f2"]) allocator.setEager(allocator.member(id, "a"), true);
  const asked: string[] = [];
  const refuse = ({ frameworkId }: { frameworkId: string }): boolean => {
    asked.push(frameworkId);
    return false;
  };
  expect(allocator.next(refuse)).toBeUndefined();
  expect(asked).toEqual(["f1", "f2", "f3"]);
  expect(allocator.next(() => true)?.frameworkId).toBe("f1");
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
  const forgotten = allocator.member("f1", "a/b/c");
  allocator.setEager(forgotten, true);
  allocator.removeMember(forgotten);
  expect(allocator.hasEager).toBe(false);
  expect(allocator.hasOpen).toBe(false);
  expect(allocator.roles.size).toBe(0);
});
