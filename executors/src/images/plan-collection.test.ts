import fc from "fast-check";
import { expect, test } from "vitest";
import { diskFractionGoal, diskFractionMax, planCollection, type StoredThings } from "./plan-collection.ts";

const none = { images: new Set<string>(), digests: new Set<string>() };
const stored: StoredThings = {
  images: [
    { digest: "old", usedAt: 1, layers: ["base", "a"] },
    { digest: "new", usedAt: 2, layers: ["base", "b"] },
  ],
  layers: new Map([
    ["base", 10],
    ["a", 5],
    ["b", 5],
    ["orphan", 1],
  ]),
  blobs: new Map([["blob", 2]]),
};

test("nothing goes while the disk has room", () => {
  expect(planCollection({ totalBytes: 100, freeBytes: 15 }, stored, none)).toEqual({
    images: [],
    layers: [],
    blobs: [],
  });
});

test("what was fetched and what nobody has goes first, then the image that was unused longest; shared layers stay", () => {
  const plan = planCollection({ totalBytes: 100, freeBytes: 14 }, { ...stored, blobs: new Map([["blob", 10]]) }, none);
  expect(plan).toEqual({ images: ["old"], layers: ["orphan", "a"], blobs: ["blob"] });
});

test("an image in use and the layers of a pull stay, however full the disk", () => {
  const inUse = { images: new Set(["old"]), digests: new Set(["b", "blob", "orphan"]) };
  expect(planCollection({ totalBytes: 100, freeBytes: 0 }, stored, inUse)).toEqual({
    images: [],
    layers: [],
    blobs: [],
  });
});

test("whatever is stored: no layer of an image that stays goes, and on a full disk what may go does until there is room", () => {
  const ids = fc.constantFrom("a", "b", "c", "d", "e", "f");
  const image = fc.record({ layers: fc.uniqueArray(ids, { maxLength: 4 }), usedAt: fc.nat(9), isUsed: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(image, { maxLength: 6 }),
      fc.dictionary(ids, fc.nat(20)),
      fc.integer({ min: 0, max: 100 }),
      (images, sizes, freeBytes) => {
        const things: StoredThings = {
          images: images.map(({ layers, usedAt }, at) => ({ digest: String(at), usedAt, layers })),
          layers: new Map(Object.entries(sizes)),
          blobs: new Map(),
        };
        const used = new Set(images.flatMap(({ isUsed }, at) => (isUsed ? [String(at)] : [])));
        const disk = { totalBytes: 100, freeBytes };
        const plan = planCollection(disk, things, { ...none, images: used });
        const left = things.images.filter(({ digest }) => !plan.images.includes(digest));
        for (const { layers } of left) for (const id of layers) expect(plan.layers).not.toContain(id);
        for (const digest of plan.images) expect(used.has(digest)).toBe(false);
        const freed = plan.layers.reduce((sum, id) => sum + (sizes[id] ?? 0), 0);
        if (100 - freeBytes <= 100 * diskFractionMax) expect(freed).toBe(0);
        else if (100 - freeBytes - freed > 100 * diskFractionGoal)
          expect(left.every(({ digest }) => used.has(digest))).toBe(true);
      },
    ),
  );
});
