import { Health, TaskState } from "@muster/framework-sdk";
import { expect, test } from "vitest";
import { anAgent, checkedPort, jobText, restartFramework, SmallWorld } from "./core.test.support.ts";

const { HEALTH_HEALTHY, HEALTH_UNHEALTHY } = Health;
const web = (count: number): string => jobText("web", { count, group: checkedPort });
const indexes = (world: SmallWorld): number[] =>
  world
    .live("web")
    .map(({ index }) => index)
    .sort();

/** Five instances, of which the second fails its check and the fourth is out of reach. */
function five(): SmallWorld {
  const world = new SmallWorld(anAgent("a"));
  world.run(web(5));
  world.settle();
  world.startAll(HEALTH_HEALTHY);
  world.advance(20_000, 1_000);
  world.tell(world.launched[1] as string, TaskState.TASK_RUNNING, { health: HEALTH_UNHEALTHY });
  world.tell(world.launched[3] as string, TaskState.TASK_UNREACHABLE);
  return world;
}

test("case 48: of five instances scaled to three those that are unhealthy and unreachable go", () => {
  const world = five();
  world.run(web(3), "scale");
  world.advance(5_000, 1_000);
  expect(world.killed).toEqual([world.launched[1], world.launched[3]]);
  expect(indexes(world)).toEqual([0, 2, 4]);
  world.advance(120_000, 1_000);
  expect(world.launched).toHaveLength(5);
  expect(world.killed).toHaveLength(2);
});

test("what stays is the same after a restart of the framework; what ends later makes its place free for the lowest number", () => {
  const world = five();
  world.run(web(3), "scale");
  world.advance(5_000, 1_000);
  const told = [...world.state.byTask.keys()];
  restartFramework(world, "web");
  for (const taskId of told)
    world.tell(taskId, TaskState.TASK_RUNNING, { health: HEALTH_HEALTHY, agentId: "a", launchId: "v1-1-1" });
  world.state.isReconciled = true;
  world.advance(5_000, 1_000);
  expect(indexes(world)).toEqual([0, 2, 4]);
  world.fail(told.find((id) => id.startsWith("web.g.4.")) as string);
  world.advance(5_000, 1_000);
  expect(indexes(world)).toEqual([0, 1, 2]);
});

test("of equals the first stay, and scaling up again uses the numbers that are free", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(web(4));
  world.settle();
  world.startAll(HEALTH_HEALTHY);
  world.run(web(2), "scale");
  world.settle();
  expect(indexes(world)).toEqual([0, 1]);
  world.run(web(3), "scale");
  world.settle();
  expect(indexes(world)).toEqual([0, 1, 2]);
});
