import { Health, StatusReason, TaskState } from "@muster/framework-sdk";
import { expect, test } from "vitest";
import { anAgent, jobText, restartFramework, SmallWorld } from "./core.test.support.ts";
import { keptMessages } from "./health-kills.ts";

const intervalMs = 5_000;
const checked = `network {
      port "http" {}
    }
    service {
      port = "http"
      check {
        type = "tcp"
        interval = "5s"
        timeout = "2s"
        check_restart {
          limit = 2
        }
      }
    }`;

function healthyWorld(count: number): SmallWorld {
  const world = new SmallWorld(anAgent("a"), anAgent("b"));
  world.run(jobText("web", { count, group: checked }));
  world.settle();
  world.startAll(Health.HEALTH_HEALTHY);
  return world;
}

function ask(world: SmallWorld, taskId: string): void {
  const fields = { reason: StatusReason.REASON_KILL_ASKED, health: Health.HEALTH_UNHEALTHY };
  world.tell(taskId, TaskState.TASK_RUNNING, fields);
}

test("of ten instances that all fail two are ended in each interval, those first that failed first, and the status says so", () => {
  const world = healthyWorld(10);
  const taskIds = [...world.state.byTask.keys()];
  for (const taskId of taskIds) {
    ask(world, taskId);
    world.now = { ...world.now, monotonicMs: world.now.monotonicMs + 1 };
  }
  world.settle();
  expect(world.unhealthy).toEqual(taskIds.slice(0, 2));
  expect(keptMessages(world.entry("web"))).toEqual([
    "group g: 8 instances fail their checks and are ended later: at most 2 of 8 within 5 s",
  ]);
  world.advance(intervalMs - 200);
  expect(world.unhealthy).toHaveLength(2);
  world.advance(intervalMs * 4);
  world.startAll(Health.HEALTH_HEALTHY);
  expect(world.unhealthy).toEqual(taskIds);
  expect(keptMessages(world.entry("web"))).toEqual([]);
});

test("one of a few may always be ended, at once; what recovers before its turn is left alone", () => {
  const world = healthyWorld(2);
  const [first = "", second = ""] = [...world.state.byTask.keys()];
  ask(world, first);
  ask(world, second);
  world.settle();
  expect(world.unhealthy).toEqual([first]);
  world.tell(second, TaskState.TASK_RUNNING, {
    reason: StatusReason.REASON_HEALTH_CHANGED,
    health: Health.HEALTH_HEALTHY,
  });
  world.advance(intervalMs * 3);
  expect(world.unhealthy).toEqual([first]);
});

test("an answer to a question leaves what its agent asks for as it is", () => {
  const world = healthyWorld(2);
  const [first = "", second = ""] = [...world.state.byTask.keys()];
  ask(world, first);
  ask(world, second);
  world.settle();
  const fields = { reason: StatusReason.REASON_RECONCILIATION, health: Health.HEALTH_UNHEALTHY };
  world.tell(second, TaskState.TASK_RUNNING, fields);
  world.advance(intervalMs * 2);
  expect(world.unhealthy).toEqual([first, second]);
});

test("a framework that has just begun ends nothing for an interval: it does not know what was ended before", () => {
  const world = healthyWorld(4);
  const taskIds = [...world.state.byTask.keys()];
  const known = taskIds.map((taskId) => [taskId, world.state.byTask.get(taskId)?.launchId ?? ""] as const);
  restartFramework(world, "web");
  for (const [taskId, launchId] of known) world.tell(taskId, TaskState.TASK_RUNNING, { launchId, agentId: "a" });
  world.state.isReconciled = true;
  for (const taskId of taskIds) ask(world, taskId);
  world.settle();
  world.advance(intervalMs - 200);
  expect(world.unhealthy).toEqual([]);
  world.advance(400);
  expect(world.unhealthy).toHaveLength(1);
});
