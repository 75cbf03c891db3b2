import { MusterError, seededRandom } from "@muster/foundation";
import { expect, test } from "vitest";
import { RefusalPolicy } from "../scheduler/refusals.ts";
import { ReviveLimiter } from "../scheduler/revivals.ts";
import { Backoff } from "./backoff.ts";
import { HeaderCheck } from "./headers.ts";

test("a master with a lower epoch than one heard before is refused, also on a new connection", () => {
  const check = new HeaderCheck();
  expect(check.judge({ epoch: 5, connection: 1, sequence: 1 })).toBe("fresh");
  check.reconnected();
  expect(check.judge({ epoch: 4, connection: 9, sequence: 1 })).toBe("deposed");
  expect(check.epoch).toBe(5);
});

test("a missing message is a gap, one of another connection is foreign", () => {
  const check = new HeaderCheck();
  check.judge({ epoch: 1, connection: 1, sequence: 1 });
  expect(check.judge({ epoch: 1, connection: 2, sequence: 2 })).toBe("foreign");
  expect(check.judge({ epoch: 1, connection: 1, sequence: 3 })).toBe("gap");
});

test("delays double up to their limit, and chance takes at most half", () => {
  const backoff = new Backoff(seededRandom("x"), { firstMs: 100, lastMs: 1_000 });
  const delays = Array.from({ length: 6 }, () => backoff.nextMs());
  for (const [index, longest] of [100, 200, 400, 800, 1_000, 1_000].entries()) {
    expect(delays[index]).toBeLessThanOrEqual(longest);
    expect(delays[index]).toBeGreaterThanOrEqual(longest / 2);
  }
  backoff.reset();
  expect(backoff.nextMs()).toBeLessThanOrEqual(100);
});

test("who is sent away by a master that stands by asks again soon, however often others have failed", () => {
  const backoff = new Backoff(seededRandom("x"));
  for (let failure = 0; failure < 10; failure++) backoff.nextMs();
  expect(backoff.nextMs(new MusterError("not-leader", "stands by"))).toBeLessThanOrEqual(500);
  expect(backoff.nextMs()).toBeGreaterThan(2_000);
});

test("refusals grow from 5 s to 120 s per role and agent, and begin anew when the role is revived", () => {
  const policy = new RefusalPolicy();
  expect(Array.from({ length: 7 }, () => policy.nextMs("r", "a") / 1_000)).toEqual([5, 10, 20, 40, 80, 120, 120]);
  expect(policy.nextMs("r", "b")).toBe(5_000);
  policy.revived("r");
  expect(policy.nextMs("r", "a")).toBe(5_000);
});

test("in a cluster of a thousand agents a role is revived at most once a second", () => {
  const limiter = new ReviveLimiter();
  for (let i = 0; i < 2_000; i++) limiter.sawAgent(`a${i}`);
  let count = 0;
  for (let nowMs = 0; nowMs < 10_000; nowMs += 100) {
    if (limiter.ask("r", nowMs)) count++;
  }
  expect(count).toBe(10);
  expect(limiter.dueInMs(9_900)).toBe(100);
  expect(limiter.due(10_000)).toEqual(["r"]);
});

test("on one machine nobody waits a second for an offer", () => {
  const limiter = new ReviveLimiter();
  limiter.sawAgent("a");
  expect([limiter.ask("r", 0), limiter.ask("r", 5), limiter.ask("r", 20)]).toEqual([true, false, true]);
});
