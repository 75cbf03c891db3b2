import { expect, test } from "vitest";
import { runJobVolumes, volumeCount } from "./run-job-volumes.ts";

const seeds = Array.from({ length: 6 }, (_, index) => index + 1);

test.each(seeds)(
  "seed %i: whatever fails, a volume has one user, each place ends up with one volume, and a purge leaves none",
  (seed) => {
    const { cluster, healed, purged } = runJobVolumes(seed);
    expect(cluster.violations.all, `seed ${seed}`).toEqual([]);
    expect(healed.inUse, `seed ${seed}`).toHaveLength(volumeCount);
    expect([...healed.onDisk].sort(), `seed ${seed}`).toEqual([...healed.inUse].sort());
    expect(purged, `seed ${seed}`).toEqual({ onDisk: [], reserved: [] });
  },
);
