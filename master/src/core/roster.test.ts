import fc from "fast-check";
import { expect, test } from "vitest";
import { type Listed, nowhere, Roster } from "./roster.ts";

interface Item extends Listed {
  readonly name: number;
}

const itemsOf = (length: number): Item[] =>
  Array.from({ length }, (_, name) => ({ name, leftPlace: nowhere, rightPlace: nowhere }));

function namesOf(items: Iterable<Item>): string {
  return Array.from(items, ({ name }) => name).join();
}

const action = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("add" as const), pick: fc.nat(59) }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constant("delete" as const), pick: fc.nat(59) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("delete first" as const), pick: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("clear" as const), pick: fc.constant(0) }) },
);

test("a roster has what a set would have, in the same order", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 400, size: "max" }), (actions) => {
      const items = itemsOf(60);
      const roster = new Roster<Item>("left");
      const others = new Roster<Item>("right");
      for (const item of items) others.add(item);
      const set = new Set<Item>();
      for (const { type, pick } of actions) {
        const item = items[pick] as Item;
        const [first] = set;
        if (type === "add") {
          roster.add(item);
          set.add(item);
        } else if (type === "delete") expect(roster.delete(item)).toBe(set.delete(item));
        else if (type === "clear") {
          roster.clear();
          set.clear();
        } else if (first !== undefined) expect(roster.delete(first)).toBe(set.delete(first));
        expect(namesOf(roster)).toBe(namesOf(set));
        expect(roster.size).toBe(set.size);
        expect(roster.first).toBe([...set][0]);
        expect(namesOf(items.filter((one) => roster.has(one)))).toBe(namesOf(items.filter((one) => set.has(one))));
      }
      expect(namesOf(others)).toBe(namesOf(items));
    }),
    { numRuns: 30 },
  );
});

test("who is deleted while it is read is passed over, as is what is added after it was cleared", () => {
  const items = itemsOf(5);
  const roster = new Roster<Item>("right");
  for (const item of items) roster.add(item);
  const read: number[] = [];
  for (const item of roster) {
    read.push(item.name);
    roster.delete(item);
    if (item.name === 1) roster.delete(items[3] as Item);
  }
  expect(read).toEqual([0, 1, 2, 4]);
  expect(roster.size).toBe(0);
});
