import { RestartMode, type RestartPolicy } from "@muster/proto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { planRestart, type RestartWindow } from "./restart.ts";

const policy: RestartPolicy = {
  attempts: 2,
  intervalMs: 60_000,
  delayMs: 5_000,
  mode: RestartMode.RESTART_MODE_FAIL,
  afterSuccess: false,
};

test("restarts within an interval are counted from its first on; when it is over, they count anew", () => {
  const first = planRestart(policy, undefined, 1_000);
  const second = planRestart(policy, first?.window, 30_000);
  expect([first?.delayMs, second?.delayMs]).toEqual([5_000, 5_000]);
  expect(planRestart(policy, second?.window, 60_999)).toBeUndefined();
  expect(planRestart(policy, second?.window, 61_000)?.window).toEqual({ beganAt: 61_000, count: 1 });
});

test("mode delay waits for the interval's end instead of giving up, and never for less than its delay", () => {
  const patient = { ...policy, mode: RestartMode.RESTART_MODE_DELAY };
  const used = { beganAt: 1_000, count: 2 };
  expect(planRestart(patient, used, 21_000)).toEqual({ delayMs: 40_000, window: { beganAt: 61_000, count: 1 } });
  expect(planRestart(patient, used, 60_000)?.delayMs).toBe(5_000);
});

test("an interval of 0 is the whole life; a clock that was set back begins a new one", () => {
  const once = { ...policy, attempts: 1, intervalMs: 0 };
  const first = planRestart(once, undefined, 1_000);
  expect(planRestart(once, first?.window, 1e12)).toBeUndefined();
  expect(planRestart(policy, { beganAt: 1e12, count: 2 }, 1_000)?.window).toEqual({ beganAt: 1_000, count: 1 });
});

test("whatever the policy, no interval has more restarts than it allows", () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 50_000 }), { maxLength: 40 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 100_000 }),
      gaps,
      (attempts, intervalMs, ran) => {
        const one = { ...policy, attempts, intervalMs, mode: RestartMode.RESTART_MODE_DELAY };
        let window: RestartWindow | undefined;
        let nowMs = 1_000;
        const perWindow = new Map<number, number>();
        for (const ranMs of ran) {
          nowMs += ranMs;
          const plan = planRestart(one, window, nowMs);
          expect(plan?.delayMs).toBeGreaterThanOrEqual(one.delayMs);
          window = plan?.window;
          nowMs += plan?.delayMs ?? 0;
          const beganAt = window?.beganAt ?? 0;
          perWindow.set(beganAt, (perWindow.get(beganAt) ?? 0) + 1);
        }
        const starts = [...perWindow.keys()].sort((a, b) => a - b);
        for (const count of perWindow.values()) expect(count).toBeLessThanOrEqual(attempts);
        for (const [index, at] of starts.entries())
          if (index > 0) expect(at - (starts[index - 1] ?? 0)).toBeGreaterThanOrEqual(intervalMs);
      },
    ),
  );
});
