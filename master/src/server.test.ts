import { MusterError } from "@muster/foundation";
import { TaskState } from "@muster/proto";
import { expect, test } from "vitest";
import { aGroup, aTask, WatchWire, World } from "./world.test.fixture.ts";

const { TASK_STAGING, TASK_STARTING, TASK_RUNNING, TASK_FINISHED } = TaskState;

test("an agent registers, a framework is offered it, and a task runs to its end with every step told", () => {
  const world = new World();
  const agent = world.agent("a-1");
  expect(agent.isRegistered).toBe(true);
  const watch = new WatchWire(world, { kinds: [3] });
  const framework = world.framework("services");
  expect(framework.received[0]?.subscribed).toMatchObject({ heartbeatIntervalMs: 15_000 });
  expect(framework.received[0]?.header).toEqual({ epoch: 1, connection: 2, sequence: 1 });
  const offers = framework.all("offers");
  expect(offers).toHaveLength(1);
  expect(offers[0]?.resources).toMatchObject({ cpuMillis: 4_000, memoryMiB: 4_096, portCount: 100 });
  framework.accept(offers, [aGroup([aTask("t-1")])]);
  const launches = agent.all("launches");
  expect(launches).toHaveLength(1);
  expect(launches[0]?.group?.tasks[0]?.spec.toString()).toBe("spec");
  agent.report("t-1", TASK_STARTING);
  agent.report("t-1", TASK_RUNNING);
  const end = agent.report("t-1", TASK_FINISHED, { sequence: 3 });
  expect(framework.states("t-1")).toEqual([TASK_STARTING, TASK_RUNNING, TASK_FINISHED]);
  framework.say({ acknowledgements: [{ taskId: "t-1", agentId: "a-1", updateId: end.updateId }] });
  expect(agent.all("acknowledgements")).toMatchObject([{ taskId: "t-1", updateId: end.updateId }]);
  expect(watch.events.map((event) => event.task?.status?.state)).toEqual([
    TASK_STAGING,
    TASK_STARTING,
    TASK_RUNNING,
    TASK_FINISHED,
  ]);
});

test("before the master leads, every call answers unavailable", () => {
  const world = new World();
  const other = new World({}, world);
  const framework = other.framework("services");
  expect(framework.ended).toMatchObject({ kind: "unavailable" });
});

test("a master that does not know yet who leads sends callers to the others, if it may have any", () => {
  const kindOf = (hasOthers: boolean): string => {
    const world = new World({ hasOthers }, undefined, { isElectionSilent: true });
    const refused = world.framework("services");
    return refused.ended instanceof MusterError ? refused.ended.kind : "none";
  };
  expect([kindOf(true), kindOf(false)]).toEqual(["not-leader", "unavailable"]);
});
