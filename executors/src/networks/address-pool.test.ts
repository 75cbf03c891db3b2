import fc from "fast-check";
import { expect, test } from "vitest";
import { createAddressPool, releaseAddress, restoreAddresses, takeAddress, takeThisAddress } from "./address-pool.ts";

test("case 28: an address that was given back is the last to be given again", () => {
  const pool = createAddressPool(4);
  const first = takeAddress(pool, "a") ?? 0;
  releaseAddress(pool, first, "a");
  const others = [1, 2, 3].map((n) => takeAddress(pool, `t${n}`));
  expect(others).not.toContain(first);
  expect(takeAddress(pool, "b")).toBe(first);
  expect(takeAddress(pool, "c")).toBeUndefined();
});

test("what is taken anew after a restart is not given to others, and returns once", () => {
  const pool = createAddressPool(3);
  takeThisAddress(pool, 2, "old");
  expect([takeAddress(pool, "a"), takeAddress(pool, "b"), takeAddress(pool, "c")]).toEqual([1, 3, undefined]);
  releaseAddress(pool, 2, "somebody else");
  expect(takeAddress(pool, "c")).toBeUndefined();
  releaseAddress(pool, 2, "old");
  releaseAddress(pool, 2, "old");
  expect([takeAddress(pool, "c"), takeAddress(pool, "d")]).toEqual([2, undefined]);
});

test("no address has two holders, none is lost, and every free one can be had", () => {
  const steps = fc.array(fc.oneof(fc.constant("take" as const), fc.nat(20)), { maxLength: 200 });
  fc.assert(
    fc.property(steps, (choices) => {
      const pool = createAddressPool(8);
      const mine = new Map<number, string>();
      let count = 0;
      for (const choice of choices) {
        if (choice === "take") {
          const taker = `t${++count}`;
          const index = takeAddress(pool, taker);
          if (index === undefined) expect(mine.size).toBe(8);
          else {
            expect(mine.has(index)).toBe(false);
            mine.set(index, taker);
          }
        } else {
          const [index, taker] = [...mine][choice] ?? [];
          if (index === undefined || taker === undefined) continue;
          releaseAddress(pool, index, taker);
          mine.delete(index);
        }
      }
      for (let free = 8 - mine.size; free > 0; free--) expect(takeAddress(pool, "rest")).toBeDefined();
      expect(takeAddress(pool, "one more")).toBeUndefined();
    }),
  );
});

test("after a restart the address that was given back last comes last, as before", () => {
  const pool = createAddressPool(6);
  takeThisAddress(pool, 2, "lives");
  restoreAddresses(pool, [4, 1]);
  const order = ["a", "b", "c", "d", "e", "f"].map((taker) => takeAddress(pool, taker));
  // First what was never given, then what nobody remembers, then in the order of release.
  expect(order).toEqual([5, 6, 3, 4, 1, undefined]);
});

test("numbers beyond a pool that has become smaller are left out", () => {
  const pool = createAddressPool(2);
  restoreAddresses(pool, [9, 1]);
  expect(["a", "b", "c"].map((taker) => takeAddress(pool, taker))).toEqual([2, 1, undefined]);
});
