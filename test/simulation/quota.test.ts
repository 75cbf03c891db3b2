import { expect, test } from "vitest";
import { agentCpuMillis, runRoles } from "./run-roles.ts";

const seeds = [1];

test.each(seeds)(
  "seed %i: no limit is exceeded, guarantees can be kept, and equals differ by at most an agent",
  (seed) => {
    const { cluster, mean } = runRoles(seed);
    expect(cluster.violations.all, `seed ${seed}`).toEqual([]);
    // The limit of eng is what keeps it down, and the guarantee of sales what keeps it up.
    expect(mean("eng")).toBeGreaterThan(2_000);
    expect(mean("eng")).toBeLessThanOrEqual(3_000);
    expect(mean("sales")).toBeGreaterThan(2_500);
    expect(Math.abs(mean("lab") - mean("ops"))).toBeLessThanOrEqual(agentCpuMillis);
    expect(Math.abs(mean("eng/ml") - mean("eng/web"))).toBeLessThanOrEqual(agentCpuMillis);
    expect(mean("lab")).toBeGreaterThan(1_500);
  },
);
