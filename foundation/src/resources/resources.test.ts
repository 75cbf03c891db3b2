import fc from "fast-check";
import { expect, test } from "vitest";
import {
  addResources,
  containsResources,
  describeShortage,
  formatResources,
  isEmptyResources,
  isNegativeResources,
  missingResource,
  noResources,
  type Resources,
  resources,
  subtractResources,
} from "./resources.ts";

const amount = fc.nat({ max: 2 ** 40 });
const anyResources: fc.Arbitrary<Resources> = fc.record({
  cpuMillis: amount,
  memoryMiB: amount,
  diskMiB: amount,
  portCount: fc.nat({ max: 12_000 }),
  custom: fc.dictionary(fc.constantFrom("gpus", "licences", "toString"), fc.integer({ min: 1, max: 9 })),
});
const plain = (amounts: Resources): Resources => ({ ...amounts, custom: { ...amounts.custom } });

test("what is added and taken away again leaves no trace", () => {
  fc.assert(
    fc.property(anyResources, anyResources, (a, b) => {
      expect(plain(subtractResources(addResources(a, b), b))).toEqual(plain(a));
    }),
  );
});

test("addition does not mind order", () => {
  fc.assert(
    fc.property(anyResources, anyResources, anyResources, (a, b, c) => {
      const left = addResources(addResources(a, b), c);
      expect(plain(left)).toEqual(plain(addResources(a, addResources(c, b))));
    }),
  );
});

test("something fits exactly if nothing would be negative afterwards", () => {
  fc.assert(
    fc.property(anyResources, anyResources, (big, small) => {
      expect(containsResources(big, small)).toBe(!isNegativeResources(subtractResources(big, small)));
    }),
  );
});

test("a copy keeps nothing of its origin, and nothing is empty", () => {
  const origin = { cpuMillis: 5, memoryMiB: 0, diskMiB: 0, portCount: 0, custom: { gpus: 1 } };
  const copy = resources(origin);
  origin.custom.gpus = 9;
  expect(copy.custom["gpus"]).toBe(1);
  expect(isEmptyResources(noResources)).toBe(true);
  expect(isEmptyResources(resources(null))).toBe(true);
  expect(isEmptyResources(copy)).toBe(false);
});

test("a shortage names what is missing, with both numbers", () => {
  const shortage = missingResource(resources({ memoryMiB: 512 }), resources({ memoryMiB: 256 }));
  expect(shortage && describeShortage(shortage)).toBe("needs 512 MiB of memory, has 256");
  const ports = missingResource(resources({ portCount: 2 }), noResources);
  expect(ports && describeShortage(ports)).toBe("needs 2 ports, has 0");
});

test("amounts read well", () => {
  expect(formatResources(resources({ cpuMillis: 500, memoryMiB: 128 }))).toBe("cpu 0.5, memory 128 MiB");
  expect(formatResources(noResources)).toBe("nothing");
});
