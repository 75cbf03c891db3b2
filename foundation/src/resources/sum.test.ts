import fc from "fast-check";
import { expect, test } from "vitest";
import { addResources, noResources, type Resources, resources, subtractResources } from "./resources.ts";
import { ResourceSum } from "./sum.ts";

const amount: fc.Arbitrary<Resources> = fc
  .record({
    cpuMillis: fc.nat(9),
    memoryMiB: fc.nat(9),
    diskMiB: fc.nat(9),
    portCount: fc.nat(9),
    custom: fc.dictionary(fc.constantFrom("gpus", "toString"), fc.integer({ min: 1, max: 3 })),
  })
  .map((some) => resources(some));

test("a sum is what adding and subtracting copies says, and what was made from it stays as it was", () => {
  const steps = fc.array(fc.tuple(fc.constantFrom("add" as const, "subtract" as const, "become" as const), amount));
  fc.assert(
    fc.property(steps, (done) => {
      const sum = new ResourceSum();
      let naive = noResources;
      for (const [how, some] of done) {
        const copy = resources(sum);
        const beside = addResources(sum, noResources);
        const before = naive;
        sum[how](some);
        naive = how === "become" ? some : how === "add" ? addResources(naive, some) : subtractResources(naive, some);
        expect(copy).toEqual(before);
        expect(beside).toEqual(before);
        expect(resources(sum)).toEqual(naive);
      }
    }),
  );
});
