import { expect, test } from "vitest";
import { taskLimits } from "./limits.ts";
import { parseMemoryKills } from "./task-cgroups.ts";

const amounts = {
  cpuMillis: 500,
  cpuMillisMax: undefined,
  memoryMiB: 32,
  memoryMiBMax: 0,
  processesMax: 10,
  ioMiBPerSecondMax: 3,
};

test("memory is the limit, and what is kept if memory_max is higher", () => {
  expect(taskLimits(amounts)).toMatchObject({ memoryBytesMax: 32 << 20, memoryBytesReserved: undefined });
  expect(taskLimits({ ...amounts, memoryMiBMax: 64 })).toMatchObject({
    memoryBytesMax: 64 << 20,
    memoryBytesReserved: 32 << 20,
  });
  expect(taskLimits({ ...amounts, memoryMiBMax: 8 }).memoryBytesMax).toBe(32 << 20);
  expect(taskLimits({ ...amounts, memoryMiB: 0 }).memoryBytesMax).toBeUndefined();
});

test("a core is 1,024 shares, and shares stay in the kernel's range", () => {
  const shares = (cpuMillis: number): number => taskLimits({ ...amounts, cpuMillis }).cpuShares;
  expect([500, 1_000, 0, 10_000_000].map(shares)).toEqual([512, 1_024, 2, 262_144]);
});

test("cpu_max is a share of each tenth of a second, and no bound if it is absent", () => {
  expect(taskLimits(amounts).ioBytesPerSecondMax).toBe(3 << 20);
  expect(taskLimits(amounts).cpuQuota).toBeUndefined();
  expect(taskLimits({ ...amounts, cpuMillisMax: 250 }).cpuQuota).toEqual({ quotaUs: 25_000, periodUs: 100_000 });
  expect(taskLimits({ ...amounts, cpuMillisMax: 2_500 }).cpuQuota).toEqual({ quotaUs: 250_000, periodUs: 100_000 });
});

test("kills for want of memory are read from the files of both versions", () => {
  expect(parseMemoryKills("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")).toBe(3);
  expect(parseMemoryKills("low 0\nhigh 0\nmax 9\noom 4\noom_kill 2\noom_group_kill 0\n")).toBe(2);
  expect(parseMemoryKills("")).toBe(0);
});
