import { type ClusterAgent, resources, seededRandom, TaskState } from "@muster/framework-sdk";
import { expect, test } from "vitest";
import { anAgent, jobText, SmallWorld } from "./core.test.support.ts";
import { jobStatus } from "./report.ts";

const distinctHosts = "constraint {\n      distinct_hosts = true\n    }";
const onRacks = (operator: string, value = "") => `constraint {
      attribute = "\${meta.rack}"
      operator = "${operator}"
      ${value === "" ? "" : `value = "${value}"`}
    }`;
const racked = (agentId: string, rack: string): ClusterAgent => anAgent(agentId, 10_000, 10_000, [["meta.rack", rack]]);

const where = (world: SmallWorld): string[] =>
  world
    .live("web")
    .map(({ agentId }) => agentId)
    .sort();

function explain(world: SmallWorld) {
  const around = { agents: world.agents, isKnown: true, random: seededRandom("explain") };
  const { rejections, message } = jobStatus(world.state, world.entry("web"), around, world.now);
  return { message, reasons: rejections.map(({ reason }) => reason) };
}

test("case 1: of four instances that need hosts of their own three run on three agents, and each agent says why not the fourth", () => {
  const world = new SmallWorld(anAgent("a"), anAgent("b"), anAgent("c"));
  world.run(jobText("web", { count: 4, group: distinctHosts }));
  world.advance(1_000);
  expect(where(world)).toEqual(["a", "b", "c"]);
  expect(explain(world)).toEqual({
    message: "1 instance waits: none of 3 agents can take it",
    reasons: Array(3).fill("distinct_hosts: has 1 already"),
  });
});

test("case 5: all instances run where the first one does", () => {
  const world = new SmallWorld(racked("one", "r1"));
  world.run(jobText("web", { group: onRacks("cluster") }));
  world.settle();
  for (const agent of [racked("two", "r1"), racked("three", "r2"), anAgent("four")])
    world.agents.set(agent.agentId, agent);
  world.run(jobText("web", { count: 8, group: onRacks("cluster") }), "scale");
  world.settle();
  expect(where(world)).toHaveLength(8);
  expect(new Set(where(world))).toEqual(new Set(["one", "two"]));
});

test("case 6: a rack that has as many as may be there gets no more", () => {
  const world = new SmallWorld(racked("one", "r1"));
  world.run(jobText("web", { count: 2, group: onRacks("max_per", "2") }));
  world.settle();
  world.agents.set("two", racked("two", "r2"));
  world.run(jobText("web", { count: 5, group: onRacks("max_per", "2") }), "scale");
  world.settle();
  expect(where(world)).toEqual(["one", "one", "two", "two"]);
});

test("case 10: while an instance's agent is away for 30 s, and when it is back, no second one is on that host", () => {
  const world = new SmallWorld(anAgent("a"), anAgent("b"));
  world.run(jobText("web", { count: 2, group: distinctHosts }));
  world.settle();
  world.startAll();
  const [first = ""] = world.launched;
  const never = () => expect(new Set(where(world)).size).toBe(where(world).length);
  world.tell(first, TaskState.TASK_UNREACHABLE);
  world.run(jobText("web", { count: 3, group: distinctHosts }), "scale");
  world.advance(30_000, 1_000, never);
  world.tell(first, TaskState.TASK_RUNNING);
  world.advance(30_000, 1_000, never);
  expect(where(world)).toEqual(["a", "b"]);
});

test("a host is free for the next instance only when the one before has ended there", () => {
  const world = new SmallWorld(anAgent("a"));
  const group = `${distinctHosts}\n    update {\n      max_parallel = 1\n    }`;
  world.run(jobText("web", { group }));
  world.settle();
  world.startAll();
  world.endsKilled = false;
  world.run(jobText("web", { group, task: 'user = "nobody"' }));
  world.advance(5_000);
  expect([world.killed, world.launched]).toEqual([["web.g.0.1-1"], ["web.g.0.1-1"]]);
  world.tell("web.g.0.1-1", TaskState.TASK_KILLED);
  world.settle();
  expect(world.launched).toHaveLength(2);
});

test("case 38: of three instances with one fixed port two run on two agents, and each says that its port is taken", () => {
  const world = new SmallWorld(anAgent("a"), anAgent("b"));
  const group = `network {
      port "http" {
        static = 80
      }
    }`;
  world.run(jobText("web", { count: 3, group }));
  world.settle();
  expect(where(world)).toEqual(["a", "b"]);
  // What the master says of its agents once the launches are booked.
  for (const id of ["a", "b"]) world.agents.set(id, { ...anAgent(id), portsTaken: new Set([80]) });
  world.advance(60_000, 1_000);
  expect(where(world)).toEqual(["a", "b"]);
  expect(explain(world)).toEqual({
    message: "1 instance waits: none of 2 agents can take it",
    reasons: ["port 80 is taken", "port 80 is taken"],
  });
});

test("case 40: what waits for 30 s says that no offer has come, or that none fits and what each agent lacks", () => {
  const world = new SmallWorld();
  world.run(jobText("web"));
  world.advance(30_000, 1_000);
  expect(explain(world)).toEqual({ message: "1 instance waits: no agent is registered", reasons: [] });
  const small = (agentId: string) => ({
    ...anAgent(agentId, 50, 1_000),
    total: resources({ cpuMillis: 50, memoryMiB: 1_000 }),
  });
  world.agents.set("a", small("a"));
  world.agents.set("b", small("b"));
  world.advance(30_000, 1_000);
  expect(explain(world)).toEqual({
    message: "1 instance waits: none of 2 agents can take it",
    reasons: Array(2).fill("needs 100 milli-CPU of cpu, has 50"),
  });
  // There is room, but nobody offers it.
  world.agents.set("c", { ...anAgent("c"), free: resources({}) });
  world.advance(30_000, 1_000);
  expect(explain(world).message).toBe("1 instance waits for an offer");
});
