import { expect, test } from "vitest";
import { PendingKills } from "./pending-kills.ts";

const kill = (taskId: string) => ({ taskId, agentId: "a" });

test("kills in doubt are told again together, with one timer however often the master doubts", () => {
  const kills = new PendingKills();
  kills.want(kill("t-1"));
  kills.want(kill("t-2"));
  expect([kills.doubted("t-1"), kills.doubted("t-1"), kills.doubted("t-2")]).toEqual([true, false, false]);
  expect(kills.takeDoubted()).toEqual([kill("t-1"), kill("t-2")]);
  expect(kills.takeDoubted()).toEqual([]);
  expect(kills.doubted("t-2")).toBe(true);
});

test("a task that has ended is not told to end again", () => {
  const kills = new PendingKills();
  kills.want(kill("t-1"));
  kills.doubted("t-1");
  kills.ended("t-1");
  expect(kills.isEmpty).toBe(true);
  expect(kills.takeDoubted()).toEqual([]);
  expect(kills.doubted("t-1")).toBe(false);
});

test("on a new connection all are told, so none is in doubt", () => {
  const kills = new PendingKills();
  kills.want(kill("t-1"));
  kills.doubted("t-1");
  kills.reconnected();
  expect(kills.takeDoubted()).toEqual([]);
  expect([...kills.all()]).toEqual([kill("t-1")]);
});
