import { AgentState, Health, StatusReason, TaskState } from "@muster/framework-sdk";
import { expect, test } from "vitest";
import { anAgent, checkedPort, jobText, SmallWorld } from "./core.test.support.ts";
import { jobSummary } from "./report.ts";

const { HEALTH_HEALTHY, HEALTH_UNHEALTHY } = Health;
const changed = 'user = "nobody"';
const batch = (count: number) => `${checkedPort}
    update {
      max_parallel = ${count}
      min_healthy_time = "2s"
    }`;

test("a job gets as many instances as it wants, each once", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { count: 3 }));
  world.advance(1_000);
  expect(world.launched).toEqual(["web.g.0.1-1", "web.g.1.1-2", "web.g.2.1-3"]);
});

test("scaling touches only what is too many or missing", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { count: 3 }));
  world.settle();
  world.startAll();
  world.run(jobText("web", { count: 5 }), "scale");
  world.advance(1_000);
  expect(world.launched).toHaveLength(5);
  world.run(jobText("web", { count: 2 }), "scale");
  world.settle();
  expect(world.killed.map((id) => id.split(".")[2])).toEqual(["2", "3", "4"]);
});

test("instances that a change keeps count as updated, and those that it replaces do not", () => {
  const world = new SmallWorld(anAgent("a"));
  const updated = (): number => jobSummary(world.entry("web"), world.agents).updated;
  world.run(jobText("web", { count: 3, group: checkedPort }));
  world.settle();
  world.startAll();
  expect(updated()).toBe(0);
  for (const taskId of world.launched) world.tell(taskId, TaskState.TASK_RUNNING, { health: HEALTH_HEALTHY });
  expect(updated()).toBe(3);
  world.run(jobText("web", { count: 2, group: checkedPort }));
  world.settle();
  expect(updated()).toBe(2);
  world.run(jobText("web", { count: 2, group: checkedPort, task: changed }));
  world.settle();
  world.startAll();
  expect(jobSummary(world.entry("web"), world.agents)).toMatchObject({ healthy: 2, updated: 0 });
});

test("a stopped job ends all its tasks and starts none", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { count: 2 }));
  world.settle();
  world.stop("web");
  world.advance(5_000);
  expect(world.entry("web").instances.size).toBe(0);
  expect(world.launched).toHaveLength(2);
});

test("an update replaces at most max_parallel instances at a time, and waits for each to be healthy long enough", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { count: 4, group: batch(2) }));
  world.settle();
  world.startAll(HEALTH_HEALTHY);
  world.run(jobText("web", { count: 4, group: batch(2), task: changed }));
  const steps: number[] = [];
  world.advance(10_000, 100, () => {
    const fresh = world.live("web").filter(({ version }) => version === 2);
    const unsettled = fresh.filter(
      ({ healthySinceMs }) => healthySinceMs === undefined || world.now.monotonicMs - healthySinceMs < 2_000,
    );
    expect(unsettled.length).toBeLessThanOrEqual(2);
    if (steps.at(-1) !== fresh.length) steps.push(fresh.length);
    world.startAll(HEALTH_HEALTHY);
  });
  expect(steps).toEqual([2, 4]);
});

test("an update whose new instances do not become healthy goes no further", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { count: 3, group: batch(1) }));
  world.settle();
  world.startAll(HEALTH_HEALTHY);
  world.run(jobText("web", { count: 3, group: batch(1), task: changed }));
  world.advance(60_000, 500, () => world.startAll(HEALTH_UNHEALTHY));
  expect(world.live("web").filter(({ version }) => version === 1)).toHaveLength(2);
});

/** An update while all that is launched becomes healthy after so long; looks at what lives every 100 ms. */
function update(
  world: SmallWorld,
  text: string,
  forMs: number,
  look: (counts: { total: number; healthy: number }) => void,
  isHealthy: () => boolean = () => true,
): void {
  world.run(text);
  world.advance(forMs, 100, () => {
    const live = world.live("web");
    look({ total: live.length, healthy: live.filter(({ healthySinceMs }) => healthySinceMs !== undefined).length });
    if (isHealthy()) world.startAll(HEALTH_HEALTHY);
  });
}

const percents = (minHealthy: number, surge: number) => `${checkedPort}
    update {
      min_healthy_percent = ${minHealthy}
      surge_percent = ${surge}
      min_healthy_time = "2s"
    }`;

/** A job all of whose instances are healthy. */
function healthy(count: number, group: string): SmallWorld {
  const world = new SmallWorld(anAgent("a"), anAgent("b"));
  world.run(jobText("web", { count, group }));
  world.settle();
  world.startAll(HEALTH_HEALTHY);
  return world;
}

const allNew = (world: SmallWorld, version = 2) => world.live("web").every((one) => one.version === version);

test("case 12: an update that may stop half and start none too many never has fewer than half healthy, nor more than all", () => {
  const world = healthy(10, percents(50, 0));
  const seen = { total: 0, healthy: 10 };
  update(world, jobText("web", { count: 10, group: percents(50, 0), task: changed }), 30_000, (now) => {
    seen.total = Math.max(seen.total, now.total);
    seen.healthy = Math.min(seen.healthy, now.healthy);
  });
  expect(seen).toEqual({ total: 10, healthy: 5 });
  expect(allNew(world)).toBe(true);
  expect(world.live("web")).toHaveLength(10);
});

test("case 13: without an update block there are never fewer healthy instances than wanted, and at most a quarter too many", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { count: 4, group: checkedPort }));
  world.settle();
  world.startAll(HEALTH_HEALTHY);
  world.run(jobText("web", { count: 4, group: checkedPort, task: changed }));
  world.advance(120_000, 500, () => {
    const live = world.live("web");
    expect(live.length).toBeLessThanOrEqual(5);
    expect(live.filter(({ healthySinceMs }) => healthySinceMs !== undefined).length).toBeGreaterThanOrEqual(4);
    world.startAll(HEALTH_HEALTHY);
  });
  expect(world.live("web").every(({ version }) => version === 2)).toBe(true);
  expect(world.live("web")).toHaveLength(4);
});

test("case 15: an update that starts none too many completes although every old instance is unhealthy", () => {
  for (const group of [percents(100, 25), percents(80, 0), batch(1)]) {
    const world = healthy(4, group);
    for (const taskId of world.launched) world.tell(taskId, TaskState.TASK_RUNNING, { health: HEALTH_UNHEALTHY });
    let most = 0;
    update(world, jobText("web", { count: 4, group, task: changed }), 30_000, ({ total }) => {
      most = Math.max(most, total);
    });
    expect(most).toBe(4);
    expect(allNew(world)).toBe(true);
    expect(world.live("web")).toHaveLength(4);
  }
});

test("case 17: an old instance ends only after its successor's check has passed", () => {
  const world = healthy(3, checkedPort);
  let passes = false;
  world.run(jobText("web", { count: 3, group: checkedPort, task: changed }));
  world.advance(120_000, 500, () => {
    for (const { version, tasks } of world.live("web"))
      if (version === 2)
        for (const taskId of tasks.keys())
          world.tell(taskId, TaskState.TASK_RUNNING, { health: passes ? HEALTH_HEALTHY : HEALTH_UNHEALTHY });
  });
  expect(world.killed).toEqual([]);
  passes = true;
  world.advance(120_000, 500, () => world.startAll(HEALTH_HEALTHY));
  for (const { version, tasks } of world.live("web"))
    if (version === 2)
      for (const taskId of tasks.keys()) world.tell(taskId, TaskState.TASK_RUNNING, { health: HEALTH_HEALTHY });
  world.advance(120_000, 500, () => world.startAll(HEALTH_HEALTHY));
  expect(world.killed).toEqual(["web.g.0.1-1", "web.g.1.1-2", "web.g.2.1-3"]);
  expect(allNew(world)).toBe(true);
});

test("a version that comes no further for ten minutes is overdue until it does, and one that was healthy never is", () => {
  const world = healthy(3, batch(1));
  world.settle();
  world.advance(3_000, 500);
  world.entry("web").current.record.stable = true;
  world.run(jobText("web", { count: 3, group: batch(1), task: changed }));
  world.advance(590_000, 1_000);
  expect(world.entry("web").isOverdue).toBe(false);
  world.advance(20_000, 1_000);
  expect(world.entry("web").isOverdue).toBe(true);
  world.advance(60_000, 1_000, () => world.startAll(HEALTH_HEALTHY));
  expect(world.entry("web").isOverdue).toBe(false);
  world.entry("web").current.record.stable = true;
  world.fail(world.launched.at(-1) ?? "");
  world.agents.clear();
  world.advance(1_200_000, 10_000);
  expect(world.entry("web").isOverdue).toBe(false);
});

test("case 18: an old instance that dies in the middle of an update is replaced by the new version", () => {
  const world = healthy(4, batch(1));
  world.run(jobText("web", { count: 4, group: batch(1), task: changed }));
  world.settle();
  world.fail("web.g.3.1-4");
  world.settle();
  const third = world.live("web").filter(({ index }) => index === 3);
  expect(third.map(({ version }) => version)).toEqual([2]);
});

test("case 23: an update that is taken back half done leaves the old instances alone and ends the new ones", () => {
  const world = healthy(4, checkedPort);
  update(world, jobText("web", { count: 4, group: checkedPort, task: changed }), 25_000, () => {});
  const versions = () => world.live("web").map(({ version }) => version);
  expect(versions().filter((version) => version === 2).length).toBeGreaterThanOrEqual(1);
  const kept = world.live("web").filter(({ version }) => version === 1);
  expect(kept.length).toBeGreaterThanOrEqual(1);
  world.run(jobText("web", { count: 4, group: checkedPort }), "revert");
  world.advance(120_000, 100, () => world.startAll(HEALTH_HEALTHY));
  expect(world.live("web")).toHaveLength(4);
  expect(world.live("web").every((one) => one.healthySinceMs !== undefined)).toBe(true);
  expect(versions()).not.toContain(2);
  for (const { id } of kept) expect(world.live("web").map((one) => one.id)).toContain(id);
});

test("an update that overtakes another half done completes, though two instances of older versions share a slot", () => {
  const world = healthy(3, checkedPort);
  const release = (count: number) => `env {\n        RELEASE = "${count}"\n      }`;
  update(world, jobText("web", { count: 3, group: checkedPort, task: release(2) }), 8_000, () => {});
  expect(world.live("web").map(({ version }) => version)).toEqual([1, 1, 1, 2]);
  update(world, jobText("web", { count: 3, group: checkedPort, task: release(3) }), 120_000, (now) => {
    expect(now.total).toBeLessThanOrEqual(4);
    expect(now.healthy).toBeGreaterThanOrEqual(3);
  });
  expect(world.live("web").map(({ version }) => version)).toEqual([3, 3, 3]);
});

test("case 25: more instances restart none of those there are, and leave their back-off", () => {
  const world = healthy(3, checkedPort);
  for (let round = 0; round < 4; round++) {
    world.fail(
      world
        .live("web")
        .find(({ index }) => index === 0)
        ?.tasks.keys()
        .next().value ?? "",
    );
    if (round < 3) world.advance(10_000, 1_000, () => world.startAll(HEALTH_HEALTHY));
  }
  const { nextTryAt, failureCount } = world.entry("web").restarts.get("g/0") ?? {};
  const before = world.live("web").map(({ id }) => id);
  world.run(jobText("web", { count: 5, group: checkedPort }), "scale");
  world.settle();
  expect(world.killed).toEqual([]);
  expect(world.live("web").map(({ id }) => id)).toEqual(expect.arrayContaining(before));
  expect(world.live("web").map(({ index }) => index)).toEqual([1, 2, 3, 4]);
  expect(world.entry("web").restarts.get("g/0")).toMatchObject({ nextTryAt, failureCount });
  expect(nextTryAt).toBe(world.now.epochMs + 8_000);
});

test("where there is no room for one more, the old instance goes first", () => {
  const world = new SmallWorld(anAgent("a", 100, 100));
  world.run(jobText("web", { count: 1 }));
  world.settle();
  world.startAll();
  const agent = anAgent("a", 0, 0);
  world.agents.set("a", agent);
  world.run(jobText("web", { count: 1, task: changed }));
  world.advance(4_000);
  expect(world.killed).toEqual([]);
  world.advance(2_000);
  expect(world.killed).toEqual(["web.g.0.1-1"]);
});

test("only the count and metadata changed: no task is touched", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { count: 2 }));
  world.settle();
  world.startAll();
  const meta = 'meta {\n    owner = "me"\n  }\n  priority = 70';
  world.run(jobText("web", { count: 2, head: meta }));
  world.advance(5_000);
  expect(world.entry("web").current.record.version).toBe(2);
  expect([world.launched.length, world.killed.length]).toEqual([2, 0]);
});

test("a written restart block that is used up gives the instance up if it may not be placed anew", () => {
  const world = new SmallWorld(anAgent("a"));
  const policy = `restart {
      attempts = 1
      interval = "10m"
      delay = "1s"
      mode = "fail"
    }
    reschedule {
      attempts = 0
      unlimited = false
    }`;
  world.run(jobText("web", { group: policy }));
  world.settle();
  // The restarts of a written block are its agent's affair: an end that it tells of was the last one.
  world.fail("web.g.0.1-1");
  world.advance(3_600_000, 10_000);
  expect(world.launched).toHaveLength(1);
  expect(world.entry("web").restarts.get("g/0")?.givenUp).toContain("given up");
});

test("what its agent did to an instance is no failure of its own", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web"));
  world.settle();
  world.startAll();
  world.fail("web.g.0.1-1", StatusReason.REASON_AGENT_SHUTDOWN);
  world.settle();
  expect(world.launched).toHaveLength(2);
  world.tell("web.g.0.1-2", TaskState.TASK_GONE);
  world.settle();
  expect(world.launched).toHaveLength(3);
  expect(world.entry("web").restarts.get("g/0")?.failureCount ?? 0).toBe(0);
});

test("case 33: an unreachable instance is replaced after a minute, not before; of two that come together one stays", () => {
  const world = new SmallWorld(anAgent("a"), anAgent("b"));
  world.run(jobText("web"));
  world.settle();
  world.startAll();
  world.tell("web.g.0.1-1", TaskState.TASK_UNREACHABLE);
  world.advance(59_000, 1_000);
  expect(world.launched).toHaveLength(1);
  world.advance(2_000, 1_000);
  expect(world.launched).toHaveLength(2);
  world.startAll();
  world.tell("web.g.0.1-1", TaskState.TASK_RUNNING);
  world.advance(2_000, 1_000);
  expect(world.live("web")).toHaveLength(1);
  expect(world.killed).toHaveLength(1);
});

test.each([
  [5, "a"],
  [16, "b"],
])(
  "case 34: of an instance that is back after %i min and its replacement one stays, the one on %s",
  (minutes, stays) => {
    const world = new SmallWorld(anAgent("a"));
    world.run(jobText("web"));
    world.settle();
    world.startAll();
    world.agents.set("a", { ...anAgent("a", 0, 0), state: AgentState.AGENT_STATE_UNREACHABLE });
    world.agents.set("b", anAgent("b"));
    world.tell("web.g.0.1-1", TaskState.TASK_UNREACHABLE);
    const startSecond = () => {
      const [, second] = world.launched;
      if (second !== undefined) world.tell(second, TaskState.TASK_RUNNING);
    };
    world.advance(minutes * 60_000, 1_000, startSecond);
    expect(world.launched).toHaveLength(2);
    world.tell("web.g.0.1-1", TaskState.TASK_RUNNING);
    world.advance(60_000, 1_000);
    expect(world.live("web").map(({ agentId }) => agentId)).toEqual([stays]);
    expect(world.killed).toHaveLength(1);
    expect(world.launched).toHaveLength(2);
  },
);

test("a system job has one instance on every agent that it may run on, and on a new one as soon as it is there", () => {
  const linux: [string, string][] = [["kernel.name", "linux"]];
  const world = new SmallWorld(anAgent("a", 1_000, 1_000, linux), anAgent("b", 1_000, 1_000, linux), anAgent("c"));
  const head = `type = "system"
  constraint {
    attribute = "\${attr.kernel.name}"
    value = "linux"
  }`;
  world.run(jobText("every", { head }));
  world.advance(1_000);
  const where = () =>
    world
      .live("every")
      .map(({ agentId }) => agentId)
      .sort();
  expect(where()).toEqual(["a", "b"]);
  world.startAll();
  world.agents.set("d", anAgent("d", 1_000, 1_000, linux));
  world.advance(1_000);
  expect(where()).toEqual(["a", "b", "d"]);
  world.agents.set("a", { ...anAgent("a", 1_000, 1_000, linux), state: AgentState.AGENT_STATE_DISCONNECTED });
  world.advance(10_000);
  expect(world.killed).toEqual([]);
});

test("instances with one fixed port each get an agent of their own; the third waits", () => {
  const world = new SmallWorld(anAgent("a"), anAgent("b"));
  const group = `network {
      port "http" {
        static = 80
      }
    }`;
  world.run(jobText("web", { count: 3, group }));
  world.settle();
  expect(
    world
      .live("web")
      .map(({ agentId }) => agentId)
      .sort(),
  ).toEqual(["a", "b"]);
  expect([...world.entry("web").waiting.keys()]).toEqual(["g/2"]);
});

test("with max_parallel = 0 all old instances end at once", () => {
  const world = new SmallWorld(anAgent("a"));
  const update = "update {\n max_parallel = 0\n }";
  world.run(jobText("web", { count: 4, group: update }));
  world.settle();
  world.startAll();
  world.run(jobText("web", { count: 4, group: update, task: changed }));
  world.settle();
  expect(world.killed).toHaveLength(4);
});
