import { addResources, containsResources, noResources, type Resources, resources } from "@muster/foundation";
import fc from "fast-check";
import { expect, test } from "vitest";
import { firstAbove, noBound } from "../../allocator/bound.ts";
import { type AmountCap, type Candidate, type CountCap, chooseVictims, costOf } from "./victims.ts";

const amount = (cpuMillis: number, memoryMiB: number): Resources => resources({ cpuMillis, memoryMiB });

function candidate(id: string, more: Partial<Candidate> = {}): Candidate {
  return { id, resources: amount(1, 1), rank: 0, priority: 50, startedAt: 0, counts: [], amounts: [], ...more };
}

const idsOf = (chosen: readonly Candidate[] | undefined) => chosen?.map(({ id }) => id).sort();

function isWithinCaps(chosen: readonly Candidate[]): boolean {
  const counts = new Map<CountCap, number>();
  const amounts = new Map<AmountCap, Resources>();
  for (const one of chosen) {
    for (const cap of one.counts) counts.set(cap, (counts.get(cap) ?? 0) + 1);
    for (const cap of one.amounts) amounts.set(cap, addResources(amounts.get(cap) ?? noResources, one.resources));
  }
  return (
    [...counts].every(([cap, count]) => count <= cap.left) &&
    [...amounts].every(([cap, sum]) => firstAbove(sum, cap.left) === undefined)
  );
}

const sumOf = (chosen: readonly Candidate[]): Resources =>
  chosen.reduce((sum, one) => addResources(sum, one.resources), noResources);

/** The best of all choices there are, by trying each. */
function naive(lack: Resources, candidates: readonly Candidate[]): readonly [number, number] | undefined {
  let best: readonly [number, number, number] | undefined;
  for (let mask = 1; mask < 1 << candidates.length; mask++) {
    const chosen = candidates.filter((_, index) => (mask & (1 << index)) !== 0);
    if (!containsResources(sumOf(chosen), lack) || !isWithinCaps(chosen)) continue;
    const cost = costOf(chosen);
    if (best === undefined || cost[0] < best[0] || (cost[0] === best[0] && cost[1] < best[1])) best = cost;
  }
  return best && [best[0], best[1]];
}

test("the least important go first, of equals the fewest and then the newest", () => {
  const one = candidate("one", { priority: 20 });
  const old = candidate("old", { priority: 30, resources: amount(2, 2), startedAt: 1 });
  const young = candidate("young", { priority: 30, resources: amount(2, 2), startedAt: 2 });
  const small = candidate("small", { priority: 30 });
  const more = candidate("more", { priority: 40, resources: amount(9, 9) });
  expect(idsOf(chooseVictims(amount(1, 1), [more, old, young, small, one]))).toEqual(["one"]);
  expect(idsOf(chooseVictims(amount(2, 2), [more, old, young, small]))).toEqual(["young"]);
});

test("who turns out not to be needed stays", () => {
  const small = candidate("small", { priority: 10 });
  const large = candidate("large", { priority: 20, resources: amount(4, 4) });
  expect(idsOf(chooseVictims(amount(4, 4), [small, large]))).toEqual(["large"]);
});

test("who has nothing of what is lacking is not asked", () => {
  const other = candidate("other", { priority: 1, resources: resources({ diskMiB: 100 }) });
  expect(chooseVictims(amount(1, 0), [other])).toBeUndefined();
});

/**
 * Those of one cap are equal in size, as instances of a job are: with caps over unequal ones the best choice is a puzzle
 * that nobody solves while others wait.
 */
const scene = fc
  .record({
    lack: fc.record({ cpuMillis: fc.nat(6), memoryMiB: fc.nat(6) }).filter((one) => one.cpuMillis + one.memoryMiB > 0),
    jobs: fc.array(
      fc.record({
        cpuMillis: fc.nat(3),
        memoryMiB: fc.nat(3),
        rank: fc.integer({ min: 0, max: 1 }),
        priority: fc.constantFrom(10, 20, 30),
        count: fc.integer({ min: 1, max: 3 }),
        left: fc.constantFrom(0, 1, 2, 9),
        isGuarded: fc.boolean(),
      }),
      { maxLength: 3 },
    ),
    loners: fc.array(fc.record({ cpuMillis: fc.nat(4), memoryMiB: fc.nat(4), priority: fc.constantFrom(10, 20, 30) }), {
      maxLength: 3,
    }),
  })
  .map(({ lack, jobs, loners }) => {
    const candidates = loners.map((loner, index) =>
      candidate(`loner-${index}`, { resources: resources(loner), priority: loner.priority }),
    );
    for (const [job, { count, left, isGuarded, rank, priority, cpuMillis, memoryMiB }] of jobs.entries()) {
      const cap = { left };
      const guard: AmountCap = { left: { ...noBound, cpuMillis: cpuMillis * 2 } };
      for (let index = 0; index < count; index++) {
        const id = `job-${job}-${index}`;
        const caps = { counts: [cap], amounts: isGuarded ? [guard] : [] };
        candidates.push(candidate(id, { resources: amount(cpuMillis, memoryMiB), rank, priority, ...caps }));
      }
    }
    return { lack: resources(lack), candidates };
  });

test("beside a choice by trying all: never a worse one, none where there is none, caps kept, nobody in vain", () => {
  fc.assert(
    fc.property(scene, ({ lack, candidates }) => {
      const chosen = chooseVictims(lack, candidates);
      const best = naive(lack, candidates);
      expect(chosen === undefined).toBe(best === undefined);
      if (chosen === undefined || best === undefined) return;
      expect(containsResources(sumOf(chosen), lack)).toBe(true);
      expect(isWithinCaps(chosen)).toBe(true);
      expect(costOf(chosen).slice(0, 2)).toEqual([...best]);
      for (const one of chosen) {
        const others = chosen.filter((other) => other !== one);
        expect(containsResources(sumOf(others), lack)).toBe(false);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("the order in which candidates come changes nothing", () => {
  fc.assert(
    fc.property(scene, ({ lack, candidates }) => {
      expect(idsOf(chooseVictims(lack, [...candidates].reverse()))).toEqual(idsOf(chooseVictims(lack, candidates)));
    }),
  );
});
