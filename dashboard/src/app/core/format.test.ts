import { expect, test } from "vitest";
import { retryDelayMs, retryMsMax, retryMsMin } from "./backoff.ts";
import { formatCores, formatCount, formatMiB, formatSpan, percent } from "./format.ts";

test("amounts are short and exact enough to compare", () => {
  expect([50, 500, 1000, 1500, 128_000].map(formatCores)).toEqual([
    "0.05 cores",
    "0.5 cores",
    "1 core",
    "1.5 cores",
    "128 cores",
  ]);
  expect([0, 512, 1024, 1536, 2 * 1024 * 1024].map(formatMiB)).toEqual(["0", "512 MiB", "1 GiB", "1.5 GiB", "2 TiB"]);
  expect([1, 1200].map((count) => formatCount(count, "task"))).toEqual(["1 task", "1,200 tasks"]);
  expect([0, 12_000, 180_000, 7_200_000, 3 * 86_400_000].map(formatSpan)).toEqual([
    "now",
    "12 s",
    "3 min",
    "2 h",
    "3 d",
  ]);
});

test("a part is never wider than its whole", () => {
  expect([percent(1, 4), percent(5, 4), percent(-1, 4), percent(1, 0)]).toEqual([25, 100, 0, 0]);
});

test("waits between tries stay within their bounds and grow", () => {
  for (let failures = 1; failures < 100; failures += 1) {
    for (const chance of [0, 0.5, 0.999]) {
      const delayMs = retryDelayMs(failures, chance);
      expect(delayMs).toBeGreaterThanOrEqual(retryMsMin);
      expect(delayMs).toBeLessThanOrEqual(retryMsMax);
    }
  }
  expect(retryDelayMs(1, 0.5)).toBeLessThan(retryDelayMs(3, 0.5));
});
