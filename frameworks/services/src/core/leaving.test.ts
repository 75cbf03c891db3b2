import { AgentStanding, type ClusterAgent, Health, maintenanceAheadMs, TaskState } from "@muster/framework-sdk";
import { expect, test } from "vitest";
import { anAgent, checkedPort, jobText, SmallWorld } from "./core.test.support.ts";
import { leavingAgents } from "./leaving.ts";

const draining = (agent: ClusterAgent): ClusterAgent => ({
  ...agent,
  standing: AgentStanding.AGENT_STANDING_DRAINING,
});

function change(world: SmallWorld, agentId: string, changed: Partial<ClusterAgent>): void {
  const agent = world.agents.get(agentId);
  if (agent) world.agents.set(agentId, { ...agent, ...changed });
}

const where = (world: SmallWorld, job = "web"): string[] =>
  world
    .live(job)
    .map(({ agentId }) => agentId)
    .sort();

test("instances on an agent that is drained are replaced elsewhere before they are stopped, as many at a time as an update may", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { count: 3 }));
  world.settle();
  world.startAll();
  world.advance(20_000);
  expect(where(world)).toEqual(["a", "a", "a"]);
  world.agents.set("b", anAgent("b"));
  world.agents.set("a", draining(anAgent("a")));
  let healthyLeast = 3;
  for (let i = 0; i < 60 && where(world).includes("a"); i++) {
    world.advance(1_000, 500, () => {
      const healthy = world.live("web").filter(({ healthySinceMs }) => healthySinceMs !== undefined).length;
      healthyLeast = Math.min(healthyLeast, healthy);
    });
    world.startAll();
  }
  expect(where(world)).toEqual(["b", "b", "b"]);
  expect(healthyLeast).toBe(3);
  expect(world.killed).toHaveLength(3);
});

test("with no room elsewhere nothing is stopped: the drain's deadline decides", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { count: 2 }));
  world.settle();
  world.startAll();
  world.advance(20_000);
  world.agents.set("a", draining(anAgent("a")));
  world.advance(4_000);
  expect(where(world)).toEqual(["a", "a"]);
  expect(world.killed).toEqual([]);
});

test("a drain that is called off leaves the instances where they are, and ends successors that have not settled", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { count: 1 }));
  world.settle();
  world.startAll();
  world.advance(20_000);
  world.agents.set("b", anAgent("b"));
  world.agents.set("a", draining(anAgent("a")));
  world.advance(1_000);
  expect(where(world)).toEqual(["a", "b"]);
  world.agents.set("a", anAgent("a"));
  world.advance(1_000);
  expect(where(world)).toEqual(["a"]);
});

test("an agent is left before its maintenance begins, nothing is placed there from then on, and not sooner", () => {
  const world = new SmallWorld(anAgent("a"), anAgent("b", 0, 0));
  world.run(jobText("web", { count: 1 }));
  world.settle();
  world.startAll();
  world.advance(20_000);
  const startsInMs = maintenanceAheadMs + 10_000;
  change(world, "a", { maintenanceAt: world.now.epochMs + startsInMs });
  change(world, "b", anAgent("b"));
  world.advance(9_000, 1_000);
  expect(where(world)).toEqual(["a"]);
  world.advance(3_000, 500);
  expect(where(world)).toEqual(["a", "b"]);
  world.startAll();
  world.advance(30_000, 1_000);
  expect(where(world)).toEqual(["b"]);
  world.run(jobText("more", { count: 2 }));
  world.advance(1_000);
  expect(where(world, "more")).toEqual(["b", "b"]);
});

test("instances of system jobs leave last", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("logs", { head: 'type = "system"' }));
  world.run(jobText("web", { count: 1 }));
  world.settle();
  world.startAll();
  world.advance(20_000);
  world.agents.set("a", draining(anAgent("a")));
  world.advance(2_000);
  expect(where(world, "logs")).toEqual(["a"]);
  world.agents.set("b", anAgent("b"));
  for (let i = 0; i < 40 && where(world).includes("a"); i++) {
    world.advance(1_000, 500);
    world.startAll();
  }
  expect(where(world)).toEqual(["b"]);
  world.advance(2_000);
  expect(where(world, "logs")).toEqual(["b"]);
});

test("what is on a deactivated agent stays, and nothing new comes there", () => {
  const world = new SmallWorld(anAgent("a"), anAgent("b"));
  world.run(jobText("logs", { head: 'type = "system"' }));
  world.run(jobText("web", { count: 2, group: "constraint {\n      distinct_hosts = true\n    }" }));
  world.settle();
  world.startAll();
  world.advance(20_000);
  change(world, "a", { standing: AgentStanding.AGENT_STANDING_DEACTIVATED });
  world.advance(5_000);
  expect(where(world)).toEqual(["a", "b"]);
  expect(where(world, "logs")).toEqual(["a", "b"]);
  const [first = ""] = world.live("web").flatMap(({ agentId, tasks }) => (agentId === "a" ? [...tasks.keys()] : []));
  world.tell(first, TaskState.TASK_KILLED);
  world.advance(5_000);
  expect(where(world)).toEqual(["b"]);
});

test("agents that are to be left are told apart by what they are left for", () => {
  const agents = [anAgent("a"), draining(anAgent("b")), { ...anAgent("c"), maintenanceAt: 5 }];
  expect([...leavingAgents(new Map(agents.map((agent) => [agent.agentId, agent]))).keys()]).toEqual(["b", "c"]);
});

test("with a migrate block as many instances move at a time as it says, and each as long as it says proves itself first", () => {
  const world = new SmallWorld(anAgent("a"));
  const group = 'update { max_parallel = 4 }\nmigrate {\nmax_parallel = 2\nmin_healthy_time = "3s"\n}';
  world.run(jobText("web", { count: 4, group }));
  world.settle();
  world.startAll();
  world.advance(20_000);
  world.agents.set("b", anAgent("b"));
  world.agents.set("a", draining(anAgent("a")));
  const onA = (): number => where(world).filter((agentId) => agentId === "a").length;
  world.advance(1_000);
  expect(where(world)).toEqual(["a", "a", "a", "a", "b", "b"]);
  world.startAll();
  world.advance(2_000);
  expect(onA()).toBe(4);
  world.advance(2_000);
  expect(onA()).toBe(2);
  expect(where(world)).toEqual(["a", "a", "b", "b", "b", "b"]);
  world.startAll();
  world.advance(4_000);
  expect(where(world)).toEqual(["b", "b", "b", "b"]);
  expect(world.killed).toHaveLength(4);
});

test("with max_parallel = 0 nothing moves before the drain's deadline, and an update goes on beside", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { count: 2, group: "migrate { max_parallel = 0 }" }));
  world.settle();
  world.startAll();
  world.advance(20_000);
  world.agents.set("b", anAgent("b"));
  world.agents.set("a", draining(anAgent("a")));
  world.advance(30_000);
  expect(where(world)).toEqual(["a", "a"]);
  world.run(jobText("web", { count: 2, group: "migrate { max_parallel = 0 }", task: 'env { NEW = "1" }' }));
  for (let i = 0; i < 60 && where(world).includes("a"); i++) {
    world.advance(1_000);
    world.startAll();
  }
  expect(where(world)).toEqual(["b", "b"]);
});

test("a successor that is not healthy in the time of the migrate block has failed, and another agent is tried", () => {
  const world = new SmallWorld(anAgent("a"));
  const group = `migrate {\n min_healthy_time = "1s"\n healthy_deadline = "20s"\n }\n${checkedPort}`;
  world.run(jobText("web", { count: 1, group }));
  world.settle();
  world.startAll(Health.HEALTH_HEALTHY);
  world.advance(20_000);
  world.agents.set("b", anAgent("b"));
  world.agents.set("c", anAgent("c"));
  world.agents.set("a", draining(anAgent("a")));
  const tried = new Set<string>();
  world.advance(60_000, 500, () => {
    for (const { agentId } of world.live("web")) tried.add(agentId);
    for (const [taskId, one] of world.state.byTask)
      if (one.agentId !== "a" && one.runningSinceMs === undefined)
        world.tell(taskId, TaskState.TASK_RUNNING, { health: Health.HEALTH_UNHEALTHY });
  });
  expect(tried).toEqual(new Set(["a", "b", "c"]));
  expect(world.live("web").filter(({ agentId }) => agentId === "a")).toHaveLength(1);
});
