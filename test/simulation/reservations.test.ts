import { expect, test } from "vitest";
import { runKeeper } from "./run-keeper.ts";

const seeds = Array.from({ length: 3 }, (_, index) => index + 1);

const all = { used: 0, done: 0, failed: 0 };

test.each(seeds)(
  "seed %i: what is set aside is conserved, a volume has one user, and all can be given back",
  (seed) => {
    const { cluster, counts } = runKeeper(seed);
    expect(cluster.violations.all, `seed ${seed}`).toEqual([]);
    const agents = cluster.master.view()?.agents ?? [];
    expect(agents.flatMap(({ reservations }) => reservations.map(({ reservationId }) => reservationId))).toEqual([]);
    expect(cluster.agents.flatMap((host) => [...host.volumes.here])).toEqual([]);
    all.used += counts.used;
    all.done += counts.done;
    all.failed += counts.failed;
  },
);

test("the seeds know operations that are done and such that are not, and tasks that use volumes", () => {
  expect(all.done).toBeGreaterThan(50);
  expect(all.failed).toBeGreaterThan(2);
  expect(all.used).toBeGreaterThan(10);
});
