import { noResources, resources } from "@muster/foundation";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Allocator } from "../allocator/allocator.ts";
import { Agent, Framework, Offer } from "./model.ts";
import { OutstandingOffers } from "./outstanding.ts";

const agent = new Agent("a1", "a1", "", "", "registered");
const member = new Allocator<Framework>().member(new Framework("f1", "f1", 0), "all");

function anOffer(offers: OutstandingOffers, number: number): Offer {
  const made = { monotonicMs: 0, epochMs: 0 };
  return new Offer(number, offers.idOf(number), agent, member, resources(noResources), made, [], [], []);
}

function idsOf(offers: Iterable<Offer>): string {
  return Array.from(offers, ({ id }) => id).join();
}

const action = fc.oneof(
  fc.record({ type: fc.constant("make" as const), count: fc.integer({ min: 1, max: 70 }), gap: fc.nat(40) }),
  fc.record({ type: fc.constant("end" as const), picks: fc.array(fc.nat(200), { maxLength: 80 }) }),
  fc.record({ type: fc.constant("end oldest" as const), count: fc.nat(80) }),
);

test("offers that stand are found by their ids, and told in the order in which they were made", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 20 }), (actions) => {
      const offers = new OutstandingOffers("offer-2-");
      const naive = new Map<string, Offer>();
      const made: Offer[] = [];
      let number = 0;
      const end = (offer: Offer | undefined): void => {
        if (offer !== undefined) expect(offers.delete(offer)).toBe(naive.delete(offer.id));
      };
      for (const done of actions) {
        if (done.type === "make")
          for (let index = 0; index < done.count; index++) {
            number += index === 0 ? 1 + done.gap : 1;
            const offer = anOffer(offers, number);
            made.push(offer);
            offers.add(offer);
            naive.set(offer.id, offer);
          }
        else if (done.type === "end") for (const pick of done.picks) end(made[pick]);
        else for (const offer of [...naive.values()].slice(0, done.count)) end(offer);
        expect(idsOf(offers.values())).toBe(idsOf(naive.values()));
        expect(offers.size).toBe(naive.size);
        expect(offers.first).toBe([...naive.values()][0]);
        expect(made.filter(({ id }) => offers.get(id) !== naive.get(id)).map(({ id }) => id)).toEqual([]);
      }
    }),
    { numRuns: 50 },
  );
});

test("what is no id of an offer that stands finds none", () => {
  const offers = new OutstandingOffers("offer-2-");
  for (let number = 1; number <= 40; number++) offers.add(anOffer(offers, number));
  expect(offers.get("offer-2-14")?.number).toBe(40);
  for (const id of ["", "offer-2-", "offer-1-14", "offer-2-014", "offer-2-14 ", "offer-2-14.5", "offer-2--1", "14"])
    expect(offers.get(id)).toBeUndefined();
  for (const id of ["offer-2-15", "offer-2-1n", "offer-2-zzzzzzzzzzzzzzz", "offer-2-toString"])
    expect(offers.get(id)).toBeUndefined();
});
