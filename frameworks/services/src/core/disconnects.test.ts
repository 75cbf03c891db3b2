import { AgentState, seededRandom, TaskState } from "@muster/framework-sdk";
import { expect, test } from "vitest";
import { anAgent, jobText, SmallWorld } from "./core.test.support.ts";
import { jobStatus } from "./report.ts";

const { TASK_RUNNING, TASK_UNREACHABLE } = TaskState;
const [original, replacement] = ["web.g.0.1-1", "web.g.0.1-2"];

/** A job whose only instance runs on an agent that then is out of reach for so long. */
function away(disconnect: string, forMs: number, each: (world: SmallWorld) => void = () => {}): SmallWorld {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { group: disconnect }));
  world.settle();
  world.startAll();
  world.advance(10_000, 1_000);
  world.agents.set("a", { ...anAgent("a", 0, 0), state: AgentState.AGENT_STATE_UNREACHABLE });
  world.agents.set("b", anAgent("b"));
  world.tell(original as string, TASK_UNREACHABLE);
  world.advance(forMs, 1_000, () => each(world));
  return world;
}

/** It comes back, and its replacement runs by then. */
function back(world: SmallWorld): string[] {
  world.tell(replacement as string, TASK_RUNNING);
  world.tell(original as string, TASK_RUNNING);
  world.advance(5_000, 1_000);
  expect(world.killed).toHaveLength(1);
  return world.live("web").map(({ agentId }) => agentId);
}

test("with lost_after an instance is replaced at once, and counts again if it comes back in time", () => {
  const block = 'disconnect {\n lost_after = "2m"\n }';
  const world = away(block, 1_000);
  expect(world.launched).toHaveLength(2);
  expect(back(world)).toEqual(["a"]);
  expect(back(away(block, 121_000))).toEqual(["b"]);
});

test.each([
  ["best_score", "a"],
  ["keep_original", "a"],
  ["keep_replacement", "b"],
  ["longest_running", "a"],
])("with reconcile = %s the one on %s stays", (policy, agent) => {
  expect(back(away(`disconnect {\n lost_after = "10m"\n reconcile = "${policy}"\n }`, 5_000))).toEqual([agent]);
});

test("keep_original keeps it also where its replacement is the better one, keep_replacement only once that runs", () => {
  const starts = (world: SmallWorld): void => {
    if (world.launched.length > 1) world.tell(replacement as string, TASK_RUNNING);
  };
  const kept = away('disconnect {\n lost_after = "10m"\n reconcile = "keep_original"\n }', 5_000, starts);
  kept.tell(original as string, TaskState.TASK_STARTING);
  kept.advance(2_000, 1_000);
  expect(kept.killed).toEqual([replacement]);
  const world = away('disconnect {\n lost_after = "10m"\n reconcile = "keep_replacement"\n }', 5_000);
  world.tell(original as string, TASK_RUNNING);
  world.advance(5_000, 1_000);
  expect(world.killed).toEqual([]);
  world.tell(replacement as string, TASK_RUNNING);
  world.advance(5_000, 1_000);
  expect(world.killed).toEqual([original]);
});

test("with replace = false nothing takes its place, for hours, the status says so, and it counts when it is back", () => {
  const world = away("disconnect {\n replace = false\n }", 3_600_000);
  expect(world.launched).toHaveLength(1);
  const around = { agents: world.agents, isKnown: true, random: seededRandom("x") };
  expect(jobStatus(world.state, world.entry("web"), around, world.now).message).toContain(
    "1 instance of group g is out of reach and not replaced",
  );
  world.tell(original as string, TASK_RUNNING);
  world.advance(5_000, 1_000);
  expect(world.killed).toEqual([]);
  expect(world.live("web")).toHaveLength(1);
});
