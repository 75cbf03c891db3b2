import { expect, test } from "vitest";
import { nextDelayMs } from "./child.ts";

test("restarts wait 0.2 s, doubling to 5 s", () => {
  const delays: number[] = [];
  let delay = 0;
  for (let start = 0; start < 7; start++) {
    delay = nextDelayMs(delay, 50);
    delays.push(delay);
  }
  expect(delays).toEqual([200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
});

test("a component that ran for a while begins with the short wait again", () => {
  expect(nextDelayMs(5_000, 20_000)).toBe(200);
});
