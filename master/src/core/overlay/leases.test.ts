import fc from "fast-check";
import { expect, test } from "vitest";
import { createLeases, heldLease, releaseLease, restoreLease, takeLease } from "./leases.ts";

const here = { ip: "192.0.2.1", ip6: "" };

test("a subnet that was given back is given to another last, and not before its time", () => {
  const leases = createLeases(3);
  const indexOf = (agentId: string, atMs: number) => takeLease(leases, agentId, here, atMs, 1_000)?.index;
  expect([indexOf("a", 1), indexOf("b", 1)]).toEqual([0, 1]);
  releaseLease(leases, "a", 10);
  expect([indexOf("c", 20), indexOf("d", 20)]).toEqual([2, undefined]);
  expect(indexOf("d", 1_009)).toBeUndefined();
  expect(indexOf("d", 1_010)).toBe(0);
});

test("an agent that comes back has the subnet that it had, while nobody else needs it", () => {
  const leases = createLeases(4);
  takeLease(leases, "a", here, 1, 1_000);
  takeLease(leases, "b", here, 1, 1_000);
  releaseLease(leases, "a", 10);
  expect(takeLease(leases, "a", here, 99_999, 1_000)?.index).toBe(0);
  expect(heldLease(leases, "a")?.releasedAt).toBe(0);
});

test("no subnet has two holders, and a master that begins anew with what the store has gives none of them twice", () => {
  const step = fc.record({ agent: fc.nat(9), gives: fc.boolean(), restarts: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      let leases = createLeases(6);
      for (const [now, { agent, gives, restarts }] of steps.entries()) {
        if (gives) takeLease(leases, `a${agent}`, here, now + 1, 5);
        else releaseLease(leases, `a${agent}`, now + 1);
        if (restarts) {
          const stored = [...leases.byIndex.values()].sort((a, b) => a.releasedAt - b.releasedAt);
          leases = createLeases(6);
          for (const lease of stored) restoreLease(leases, { ...lease });
          expect(leases.byIndex.size).toBe(stored.length);
        }
        const held = [...leases.byIndex.values()].filter(({ releasedAt }) => releasedAt === 0);
        expect(new Set(held.map(({ agentId }) => agentId)).size).toBe(held.length);
        for (const lease of leases.byIndex.values()) expect(leases.byIndex.get(lease.index)).toBe(lease);
        expect(leases.released.size + held.length).toBe(leases.byIndex.size);
      }
    }),
  );
});
