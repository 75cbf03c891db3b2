import { expect, test } from "vitest";
import { Core } from "./core.ts";
import type { MasterState, Timer } from "./model.ts";

test("a timer is never due at the moment in which it is set: a rest of 1e-13 ms would be due for ever", () => {
  const timers: Timer[] = [];
  const state = { timers: { push: (timer: Timer) => timers.push(timer) }, timerCount: 0 } as unknown as MasterState;
  const core = new Core(state);
  core.begin({ monotonicMs: 524_512.8834528567, epochMs: 0 });
  core.after(1e-13, { type: "awaited" });
  expect(timers[0]?.atMs).toBeGreaterThan(core.nowMs);
});
