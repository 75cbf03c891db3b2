// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts show the language, where ${ } is meant.
import { Health, resources, seededRandom } from "@muster/framework-sdk";
import fc from "fast-check";
import { expect, test } from "vitest";
import { anAgent, jobText, SmallWorld } from "./core.test.support.ts";
import { beginMoves, planRebalance, type RebalancePlan } from "./rebalance.ts";
import { movesAtOnce } from "./rebalance-pace.ts";
import type { Surroundings } from "./report.ts";

const quick = 'update {\n surge_percent = 25\n min_healthy_time = "1s"\n }';

/** Instances of jobs run, all on agents that were there when they came; then the others are there too. */
function grownWorld(
  texts: readonly string[],
  first: readonly string[],
  agents: readonly [string, string][],
): SmallWorld {
  const world = new SmallWorld(
    ...agents.map(([agentId, rack]) => anAgent(agentId, 1_000, 1_000, [["meta.rack", rack]])),
  );
  world.offering = (agentId) => first.includes(agentId);
  for (const text of texts) world.run(text);
  world.settle();
  world.startAll(Health.HEALTH_HEALTHY);
  world.advance(2_000);
  world.offering = () => true;
  book(world);
  return world;
}

/** What the instances take is no longer free. */
function book(world: SmallWorld): void {
  for (const [agentId, agent] of world.agents) {
    const count = world
      .jobNames()
      .flatMap((name) => world.live(name))
      .filter((one) => one.agentId === agentId).length;
    world.agents.set(agentId, { ...agent, allocated: resources({ cpuMillis: 100 * count, memoryMiB: 100 * count }) });
  }
}

function planOf(world: SmallWorld, countMax = 100): RebalancePlan {
  const around: Surroundings = { agents: world.agents, isKnown: true, random: seededRandom("rebalance") };
  return planRebalance(
    world.jobNames().map((name) => world.entry(name)),
    around,
    world.now,
    countMax,
  );
}

/** How many instances each agent has. */
function countsOf(world: SmallWorld, name: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { agentId } of world.live(name)) counts[agentId] = (counts[agentId] ?? 0) + 1;
  return counts;
}

test("instances that share an agent move apart when others are there, one after another, each with a successor first", () => {
  const agents = ["a", "b", "c"].map((id): [string, string] => [id, "r"]);
  const world = grownWorld([jobText("web", { count: 3, group: quick })], ["a"], agents);
  const plan = planOf(world);
  expect(plan.moves.map(({ fromAgentName, toAgentName, reason }) => [fromAgentName, toAgentName, reason])).toEqual([
    ["a", expect.stringMatching(/^[bc]$/), expect.stringMatching(/^a has 3 instances of the group, [bc] has 0$/)],
    ["a", expect.stringMatching(/^[bc]$/), expect.stringMatching(/^a has 2 instances of the group, [bc] has 0$/)],
  ]);
  beginMoves(world.state, plan.moves);
  const totals = new Set<number>();
  world.advance(20_000, 100, () => {
    world.startAll(Health.HEALTH_HEALTHY);
    totals.add(world.live("web").length);
    expect(
      world.live("web").filter(({ healthySinceMs }) => healthySinceMs !== undefined).length,
    ).toBeGreaterThanOrEqual(3);
  });
  expect([...totals].sort()).toEqual([3, 4]);
  expect(countsOf(world, "web")).toEqual({ a: 1, b: 1, c: 1 });
  book(world);
  expect(planOf(world).moves).toEqual([]);
});

test("a job that packs moves to fuller agents, one that spreads to emptier ones, one that has a spread to its shares", () => {
  const agents: [string, string][] = [
    ["a", "r1"],
    ["b", "r1"],
    ["c", "r2"],
    ["d", "r2"],
  ];
  const head = (policy: string): string => `placement = "${policy}"`;
  const packing = grownWorld(
    [
      jobText("other", { count: 5, head: head("pack"), group: quick }),
      jobText("p", { head: head("pack"), group: quick }),
    ],
    ["a"],
    agents,
  );
  const [moved] = packing.live("p");
  if (moved) moved.agentId = "c";
  book(packing);
  const [move] = planOf(packing).moves;
  expect([move?.entry.name, move?.toAgentId]).toEqual(["p", "a"]);
  expect(move?.reason).toBe("c is 10 % full, a 50 %, and the job packs");
  const spreading = grownWorld([jobText("s", { count: 4, head: head("spread"), group: quick })], ["a", "b"], agents);
  expect(new Set(planOf(spreading).moves.map(({ toAgentId }) => toAgentId))).toEqual(new Set(["c", "d"]));
  const racks = jobText("racks", { count: 8, group: `${quick}\nspread {\n attribute = "\${meta.rack}"\n }` });
  const plan = planOf(grownWorld([racks], ["a", "b"], agents));
  expect(plan.moves).toHaveLength(4);
  expect(plan.moves.map(({ reason }) => reason)).toContain("${meta.rack}: r1 has 8 instances, r2 has 0");
});

test("what is not to be moved is left alone, with its reason", () => {
  const agents = ["a", "b"].map((id): [string, string] => [id, "r"]);
  const none = 'update {\n min_healthy_percent = 50\n surge_percent = 0\n min_healthy_time = "1s"\n }';
  const world = grownWorld([jobText("tight", { count: 2, group: none }), jobText("new", { count: 2 })], ["a"], agents);
  expect(planOf(world)).toEqual({
    moves: [],
    remarks: [
      "job new: its update goes on",
      "job tight: group g: its migrate or update block lets none be there too many",
    ],
  });
  const around = { agents: world.agents, isKnown: false, random: seededRandom("x") };
  expect(() => planRebalance([], around, world.now, 1)).toThrow(/not known yet/);
});

test("a successor that finds no room within a minute is given up; one that never becomes healthy ends nothing", () => {
  const agents = ["a", "b"].map((id): [string, string] => [id, "r"]);
  for (const isOffered of [false, true]) {
    const world = grownWorld([jobText("web", { count: 2, group: quick })], ["a"], agents);
    const { moves } = planOf(world);
    expect(moves).toHaveLength(1);
    world.offering = (agentId) => isOffered || agentId === "a";
    beginMoves(world.state, moves);
    world.advance(70_000, 500);
    expect(world.killed).toEqual([]);
    expect(world.live("web").filter(({ move }) => move !== undefined)).toHaveLength(isOffered ? 1 : 0);
    expect(world.launched).toHaveLength(isOffered ? 3 : 2);
  }
});

test("a new version ends what of a rebalance is not made yet", () => {
  const agents = ["a", "b"].map((id): [string, string] => [id, "r"]);
  const world = grownWorld([jobText("web", { count: 2, group: quick })], ["a"], agents);
  beginMoves(world.state, planOf(world).moves);
  world.run(jobText("web", { count: 3, group: quick }));
  expect(world.live("web").filter(({ move }) => move !== undefined)).toEqual([]);
});

const policies = ["", 'placement = "pack"', 'placement = "spread"'] as const;
const aJobShape = fc.record({
  count: fc.integer({ min: 1, max: 8 }),
  policy: fc.constantFrom(...policies),
  isApart: fc.boolean(),
  hasSpread: fc.boolean(),
});
const aCase = fc.record({
  racks: fc.array(fc.constantFrom("r1", "r2", "r3"), { minLength: 2, maxLength: 7 }),
  firstCount: fc.integer({ min: 1, max: 7 }),
  jobs: fc.array(aJobShape, { minLength: 1, maxLength: 3 }),
  fails: fc.array(fc.nat(30), { maxLength: 4 }),
});

test("a plan is never worse than what is there, fits beside it as a whole, and no step leaves fewer healthy than wanted", () => {
  fc.assert(
    fc.property(aCase, ({ racks, firstCount, jobs, fails }) => {
      const agents = racks.map((rack, index): [string, string] => [`a${index}`, rack]);
      const texts = jobs.map(({ count, policy, isApart, hasSpread }, index) => {
        const apart = isApart ? "constraint {\n distinct_hosts = true\n }" : "";
        const spread = hasSpread ? 'spread {\n attribute = "${meta.rack}"\n }' : "";
        return jobText(`j${index}`, { count, head: policy, group: `${quick}\n${apart}\n${spread}` });
      });
      const world = grownWorld(
        texts,
        agents.slice(0, firstCount).map(([id]) => id),
        agents,
      );
      const before = jobs.map((_, index) => world.live(`j${index}`).map(({ agentId }) => agentId));
      const { moves } = planOf(world);
      const after = before.map((list) => [...list]);
      const incoming = new Map<string, number>();
      for (const { entry, instance, toAgentId } of moves) {
        const list = after[Number(entry.name.slice(1))] ?? [];
        list[list.indexOf(instance.agentId)] = toAgentId;
        incoming.set(toAgentId, (incoming.get(toAgentId) ?? 0) + 1);
        expect(toAgentId).not.toBe(instance.agentId);
      }
      for (const [agentId, count] of incoming)
        expect((world.agents.get(agentId)?.allocated.cpuMillis ?? 0) + 100 * count).toBeLessThanOrEqual(1_000);
      for (const [index, { policy, isApart, hasSpread }] of jobs.entries()) {
        const [was, is] = [before[index] ?? [], after[index] ?? []];
        const hasMoves = moves.some(({ entry }) => entry.name === `j${index}`);
        if (isApart) expect(new Set(is).size).toBe(is.length);
        if (hasSpread) expect(offShares(is, agents)).toBeLessThanOrEqual(offShares(was, agents) + 1e-9);
        else if (policy === "") {
          if (hasMoves) expect(crowding(is)).toBeLessThan(crowding(was));
          else expect(is).toEqual(was);
        }
      }
      beginMoves(world.state, moves);
      let step = 0;
      world.advance(40_000, 500, () => {
        if (fails.includes(++step))
          for (const [taskId, one] of world.state.byTask) if (one.healthySinceMs === undefined) world.fail(taskId);
        world.startAll(Health.HEALTH_HEALTHY);
        for (const [index] of jobs.entries()) {
          const entry = world.entry(`j${index}`);
          const [group] = entry.current.job.groups;
          const live = world.live(`j${index}`);
          const placed = before[index]?.length ?? 0;
          if (!group) throw new Error("no group");
          expect(live.length).toBeLessThanOrEqual(group.count + movesAtOnce(group));
          expect(live.filter(({ healthySinceMs }) => healthySinceMs !== undefined).length).toBeGreaterThanOrEqual(
            placed,
          );
        }
      });
    }),
    { numRuns: 25 },
  );
}, 120_000);

function crowding(agentIds: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const agentId of agentIds) counts.set(agentId, (counts.get(agentId) ?? 0) + 1);
  return [...counts.values()].reduce((sum, count) => sum + count ** 2, 0);
}

/** Squares of what racks have beyond or below an equal share. */
function offShares(agentIds: readonly string[], agents: readonly [string, string][]): number {
  const racks = [...new Set(agents.map(([, rack]) => rack))];
  const rackOf = new Map(agents);
  const share = agentIds.length / racks.length;
  return racks.reduce((sum, rack) => sum + (agentIds.filter((id) => rackOf.get(id) === rack).length - share) ** 2, 0);
}

test("a plan of many is the same each time, and asks for no more moves than it may", () => {
  const agents = Array.from({ length: 40 }, (_, index): [string, string] => [`a${index}`, `r${index % 4}`]);
  const text = jobText("wide", { count: 60, group: quick });
  const plans = [1, 2].map(() =>
    planOf(
      grownWorld(
        [text],
        agents.slice(0, 10).map(([id]) => id),
        agents,
      ),
      7,
    ),
  );
  const shown = plans.map(({ moves }) => moves.map(({ instance, toAgentId }) => [instance.index, toAgentId]));
  expect(shown[0]).toHaveLength(7);
  expect(shown[1]).toEqual(shown[0]);
  expect(plans[0]?.remarks).toEqual(["7 moves are all that one plan has: plan again when they are made"]);
});
