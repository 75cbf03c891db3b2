import { addResources, noResources, type Resources, resources } from "@muster/foundation";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Allocator, dominantShare } from "./allocator.ts";

/** One framework in one role, as a naive reader of the rules would keep it. */
interface Naive {
  id: string;
  role: string;
  held: Resources;
  eager: boolean;
}

const amount = fc.record({ cpuMillis: fc.nat(4_000), memoryMiB: fc.nat(8_192) }).map((some) => resources(some));
const member = fc.record({ id: fc.constantFrom("f1", "f2", "f3", "f4"), role: fc.constantFrom("a", "b", "c") });
const action = fc.oneof(
  fc.record({ type: fc.constant("hold" as const), member, amount }),
  fc.record({ type: fc.constant("release" as const), member }),
  fc.record({ type: fc.constant("eager" as const), member, eager: fc.boolean() }),
  fc.record({
    type: fc.constant("weight" as const),
    role: fc.constantFrom("a", "b"),
    weight: fc.integer({ min: 1, max: 5 }),
  }),
  fc.record({ type: fc.constant("total" as const), amount }),
  fc.record({ type: fc.constant("next" as const), refusing: fc.constantFrom("", "f1", "f2") }),
);

/** Everything computed anew from the list of members: least share of roles, then of members, then by name. */
function naiveNext(members: readonly Naive[], weights: Map<string, number>, total: Resources, refusing: string) {
  const roleShare = (role: string): number => {
    const held = members
      .filter((one) => one.role === role)
      .reduce((sum, one) => addResources(sum, one.held), noResources);
    return (dominantShare(held, total) * 1_000) / (weights.get(role) ?? 1_000);
  };
  const byShare = (a: { share: number; name: string }, b: { share: number; name: string }): number =>
    a.share - b.share || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  const roles = [...new Set(members.filter((one) => one.eager).map((one) => one.role))]
    .map((name) => ({ name, share: roleShare(name) }))
    .sort(byShare);
  for (const role of roles) {
    const found = members
      .filter((one) => one.eager && one.role === role.name)
      .map((one) => ({ name: one.id, share: dominantShare(one.held, total) }))
      .sort(byShare)
      .find((one) => one.name !== refusing);
    if (found) return `${role.name} ${found.name}`;
  }
  return undefined;
}

test("whose turn it is is what computing everything anew says", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const allocator = new Allocator();
      const members = new Map<string, Naive>();
      const weights = new Map<string, number>();
      let total: Resources = resources({ cpuMillis: 10_000, memoryMiB: 10_000 });
      allocator.setTotal(total);
      const at = ({ id, role }: { id: string; role: string }): Naive => {
        const key = `${role} ${id}`;
        const known = members.get(key) ?? { id, role, held: noResources, eager: false };
        members.set(key, known);
        return known;
      };
      for (const done of actions) {
        if (done.type === "hold") {
          const naive = at(done.member);
          naive.held = addResources(naive.held, done.amount);
          allocator.hold(allocator.member(naive.id, naive.role), done.amount);
        } else if (done.type === "release") {
          const naive = at(done.member);
          allocator.release(allocator.member(naive.id, naive.role), naive.held);
          naive.held = noResources;
        } else if (done.type === "eager") {
          at(done.member).eager = done.eager;
          allocator.setEager(allocator.member(done.member.id, done.member.role), done.eager);
        } else if (done.type === "weight") {
          weights.set(done.role, done.weight * 1_000);
          allocator.setWeight(done.role, done.weight * 1_000);
        } else if (done.type === "total") {
          total = done.amount;
          allocator.setTotal(total);
        } else {
          const next = allocator.next((candidate) => candidate.frameworkId !== done.refusing);
          expect(next && `${next.role.name} ${next.frameworkId}`).toBe(
            naiveNext([...members.values()], weights, total, done.refusing),
          );
        }
      }
    }),
  );
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
    if (next) allocator.hold(next, resources({ cpuMillis: 1_000 }));
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

test("a member that is forgotten leaves no role behind", () => {
  const allocator = new Allocator();
  const member = allocator.member("f1", "a");
  allocator.setEager(member, true);
  allocator.removeMember(member);
  expect(allocator.hasEager).toBe(false);
  expect(allocator.roles.size).toBe(0);
});
