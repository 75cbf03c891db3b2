// biome-ignore-all lint/suspicious/noTemplateCurlyInString: jobspecs refer to properties so
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
    message: "1 instance waits: none of 3 agents can take it (3 offers looked at 0 s ago, none of them fits)",
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
    message: "1 instance waits: none of 2 agents can take it (2 offers looked at 0 s ago, none of them fits)",
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
    message: "1 instance waits: none of 2 agents can take it (2 offers looked at 0 s ago, none of them fits)",
    reasons: Array(2).fill("needs 100 milli-CPU of cpu, has 50"),
  });
  // There is room, but nobody offers it.
  world.agents.set("c", { ...anAgent("c"), free: resources({}) });
  world.advance(30_000, 1_000);
  expect(explain(world).message).toBe("1 instance waits for an offer (3 offers looked at 0 s ago, none of them fits)");
});

const spreadOver = (body = "") => `spread {
      attribute = "\${meta.rack}"
      ${body}
    }`;
const racks = (world: SmallWorld): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const agentId of where(world)) {
    const rack = world.agents.get(agentId)?.attributes.get("meta.rack") ?? "none";
    counts[rack] = (counts[rack] ?? 0) + 1;
  }
  return counts;
};

test("case 4: numbers are equal to three decimals for IS, and texts only if they are the same", () => {
  for (const [weight, places] of [
    ["0.8001", ["a"]],
    ["0.81", []],
  ] as const) {
    const world = new SmallWorld(anAgent("a", 1_000, 1_000, [["meta.weight", weight]]));
    world.run(
      jobText("web", { group: 'constraint {\n attribute = "${meta.weight}"\n operator = "IS"\n value = "0.80"\n }' }),
    );
    world.settle();
    expect(where(world), weight).toEqual(places);
  }
});

test("case 7: ten instances on three racks are 4, 3 and 3", () => {
  for (const value of ["3", "3 strict", "strict"]) {
    const world = new SmallWorld(racked("a", "r1"), racked("b", "r1"), racked("c", "r2"), racked("d", "r3"));
    world.run(jobText("web", { count: 10, group: onRacks("GROUP_BY", value) }));
    world.settle();
    expect(Object.values(racks(world)).sort()).toEqual([3, 3, 4]);
  }
});

test("case 8: strictly balanced instances wait for racks that are there but not offered; others do not", () => {
  for (const [value, there, waiting] of [
    ["strict", 1, 2],
    ["", 3, 0],
  ] as const) {
    const world = new SmallWorld(racked("a", "r1"), racked("b", "r2"), racked("c", "r3"));
    world.offering = (agentId) => agentId === "a";
    world.run(jobText("web", { count: 3, group: onRacks("group_by", value) }));
    world.settle();
    expect([where(world).length, world.entry("web").waiting.size]).toEqual([there, waiting]);
  }
});

test("case 9: a rack without room keeps nobody waiting", () => {
  for (const value of ["strict", "", "3 strict"]) {
    const full = anAgent("c", 10, 10, [["meta.rack", "r3"]]);
    const world = new SmallWorld(racked("a", "r1"), racked("b", "r2"), full);
    world.run(jobText("web", { count: 6, group: onRacks("group_by", value) }));
    world.settle();
    expect(racks(world)).toEqual({ r1: 3, r2: 3 });
  }
});

test("no more racks are used than group_by says", () => {
  const world = new SmallWorld(racked("a", "r1"), racked("b", "r2"), racked("c", "r3"));
  world.run(jobText("web", { count: 7, group: onRacks("group_by", "2") }));
  world.settle();
  expect(Object.values(racks(world)).sort()).toEqual([3, 4]);
});

test("spread shares instances as its targets say, and what they leave over goes to the rest", () => {
  const agents = ["r1", "r2", "r3", "r4"].map((rack) => racked(rack, rack));
  const half = 'target "r1" {\n percent = 50\n }\n target "r2" {\n percent = 30\n }';
  const shared = new SmallWorld(...agents);
  shared.run(jobText("web", { count: 20, group: spreadOver(half) }));
  shared.settle();
  const counts = racks(shared);
  expect([counts["r1"], counts["r2"], (counts["r3"] ?? 0) + (counts["r4"] ?? 0)]).toEqual([10, 6, 4]);
  const even = new SmallWorld(...agents, racked("more", "r1"));
  even.run(jobText("web", { count: 8, group: spreadOver() }));
  even.settle();
  expect(racks(even)).toEqual({ r1: 2, r2: 2, r3: 2, r4: 2 });
});

test("agents that are liked are filled first, those that are not last, and none is shut out", () => {
  const kinds = (kind: string, ids: string[]) => ids.map((id) => anAgent(id, 300, 10_000, [["meta.kind", kind]]));
  const world = new SmallWorld(...kinds("ssd", ["s1", "s2"]), ...kinds("hdd", ["h1", "h2"]), ...kinds("old", ["o1"]));
  const like = (kind: string, weight: number) =>
    `affinity {\n attribute = "\${meta.kind}"\n value = "${kind}"\n weight = ${weight}\n }`;
  const text = (count: number) => jobText("web", { count, group: `${like("ssd", 50)}\n${like("old", -50)}` });
  const onKinds = () => world.live("web").map(({ agentName }) => agentName[0]);
  world.run(text(6));
  world.settle();
  expect(onKinds().sort()).toEqual(Array(6).fill("s"));
  // Agents of this world are offered as if nothing ran there: the liked ones have no more room now.
  world.offering = (agentId) => !agentId.startsWith("s");
  world.run(text(12), "scale");
  world.settle();
  expect(onKinds().slice(6).sort()).toEqual(Array(6).fill("h"));
  world.offering = (agentId) => agentId.startsWith("o");
  world.run(text(13), "scale");
  world.settle();
  expect(onKinds().at(-1)).toBe("o");
});

test("a job that packs fills one agent, one that spreads goes where there is room", () => {
  const place = (policy: string) => {
    const world = new SmallWorld(anAgent("a", 1_000), anAgent("b", 1_000), anAgent("c", 1_000));
    world.run(jobText("web", { count: 3, head: policy }));
    world.settle();
    return new Set(where(world)).size;
  };
  expect(place('placement = "pack"')).toBe(1);
  expect(place('placement = "spread"')).toBe(3);
  expect(place("")).toBe(3);
});

test("another affinity or spread replaces nothing that runs", () => {
  const world = new SmallWorld(racked("a", "r1"), racked("b", "r2"));
  world.run(jobText("web", { count: 2 }));
  world.settle();
  world.startAll();
  const like = 'affinity {\n attribute = "${meta.rack}"\n value = "r1"\n }';
  world.run(jobText("web", { count: 2, group: spreadOver(), task: like }));
  world.advance(60_000, 1_000, () => world.startAll());
  expect(world.killed).toEqual([]);
});
