import {
  addResources,
  type CallHandler,
  containsResources,
  isNegativeResources,
  noResources,
  resources,
  subtractResources,
} from "@muster/foundation";
import { type TaskInfo, TaskState } from "@muster/proto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type AgentWire, aGroup, aTask, type FrameworkWire, World } from "../world.test.fixture.ts";
import type { MasterState } from "./model.ts";

/** What the books of every agent must say, computed anew from tasks and offers. */
function checkBooks(state: MasterState): void {
  let available = noResources;
  let heldBack = noResources;
  for (const agent of state.agents.values()) {
    let allocated = noResources;
    const groups = new Set([...agent.tasks].map((task) => task.group));
    for (const task of agent.tasks) allocated = addResources(allocated, task.resources);
    for (const group of groups) allocated = addResources(allocated, resources({ portCount: group.portCount }));
    let offered = noResources;
    for (const offer of agent.offers) offered = addResources(offered, offer.resources);
    if (agent.counted)
      available = subtractResources(addResources(available, agent.total), addResources(allocated, offered));
    expect(agent.allocated).toEqual(allocated);
    expect(agent.offered).toEqual(offered);
    let kept = noResources;
    for (const hold of agent.holds) kept = addResources(kept, hold.resources);
    expect(agent.kept).toEqual(kept);
    heldBack = addResources(heldBack, kept);
    expect(isNegativeResources(agent.allocated)).toBe(false);
    expect(containsResources(agent.total, addResources(allocated, offered))).toBe(true);
    for (const group of groups) for (const number of group.numbers) expect(agent.ports.get(number)).toEqual([group]);
    expect(new Set([...agent.ports.values()].flat()).size).toBeLessThanOrEqual(groups.size);
  }
  expect(state.allocator.available).toEqual(subtractResources(available, heldBack));
  expect([...state.agents.values()].reduce((sum, agent) => sum + agent.holds.size, 0)).toBe(
    state.preemption.holds.size,
  );
  for (const framework of state.frameworks.values()) {
    let held = noResources;
    for (const member of framework.members.values()) held = addResources(held, member.held);
    let kept = noResources;
    for (const hold of framework.holds) kept = addResources(kept, hold.resources);
    expect(held).toEqual(addResources(addResources(framework.allocated, framework.offered), kept));
    for (const demands of framework.demands?.values() ?? [])
      for (const demand of demands.values()) {
        const holds = [...framework.holds].filter((hold) => hold.demand === demand);
        const parts = [...framework.offers].flatMap(({ demanded }) =>
          demanded.filter((part) => part.demand === demand),
        );
        expect(demand.offeredCount).toBe(holds.length + parts.reduce((sum, part) => sum + part.unitCount, 0));
      }
    expect(framework.liveCount).toBe(
      [...state.agents.values()]
        .flatMap((agent) => [...agent.tasks])
        .filter((task) => task.group.framework === framework).length,
    );
  }
}

const action = fc.oneof(
  fc.record({
    type: fc.constant("accept" as const),
    framework: fc.nat(1),
    sizes: fc.array(fc.integer({ min: 1, max: 2_500 }), { minLength: 0, maxLength: 3 }),
    port: fc.constantFrom(0, 0, 8_080, 20_001),
  }),
  fc.record({ type: fc.constant("decline" as const), framework: fc.nat(1), refuseMs: fc.constantFrom(0, 1_000) }),
  fc.record({ type: fc.constant("status" as const), agent: fc.nat(1), pick: fc.nat(9), end: fc.boolean() }),
  fc.record({ type: fc.constant("drop-agent" as const), agent: fc.nat(1) }),
  fc.record({ type: fc.constant("back-agent" as const), agent: fc.nat(1), keeps: fc.boolean() }),
  fc.record({ type: fc.constant("drop-framework" as const), framework: fc.nat(1) }),
  fc.record({ type: fc.constant("time" as const), ms: fc.constantFrom(100, 5_000, 80_000) }),
  fc.record({
    type: fc.constant("demand" as const),
    framework: fc.constantFrom(0, 0, 0, 1),
    count: fc.constantFrom(0, 1, 2, 4),
    cpuMillis: fc.constantFrom(500, 1_000, 2_000),
    priority: fc.constantFrom(undefined, 20, 80, 80),
  }),
  fc.record({ type: fc.constant("kill" as const) }),
);

/** Runs in which somebody is ended for another are few: this is one. */
const somebodyIsEnded = [
  { type: "demand", framework: 0, count: 4, cpuMillis: 1_000, priority: 80 },
  { type: "time", ms: 5_000 },
  { type: "kill" },
] as const;

/** A role is promised most of what there is, whoever has it. */
function promise(world: World, role: string): void {
  const setQuota = world.master.handlers["Operator.SetQuota"] as CallHandler<"Operator.SetQuota">;
  const guarantee = resources({ cpuMillis: 6_000 });
  setQuota(
    { role, guarantee, limit: null, limitedToNone: [], force: true, dryRun: false },
    { address: "test", principal: "local" },
    () => {},
  );
  world.clock.settle();
}

test("whatever happens, allocated, offered, kept and free are what tasks, offers and holds say", {
  timeout: 120_000,
}, () => {
  let preempted = 0;
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60, size: "max" }), (actions) => {
      const world = new World();
      const agents: AgentWire[] = ["a-0", "a-1"].map((id) => world.agent(id));
      const frameworks: FrameworkWire[] = [
        world.framework("f0", { roles: ["web"], suppressedRoles: ["web"] }),
        world.framework("f1", { roles: ["ops"] }),
      ];
      let count = 0;
      const [, ops] = frameworks as [FrameworkWire, FrameworkWire];
      for (const offer of ops.all("offers"))
        ops.accept(
          [offer],
          [1_200, 1_200, 1_200].map((cpuMillis) =>
            aGroup([aTask(`t-${++count}`, { resources: resources({ cpuMillis }), ...importance(count) })]),
          ),
          0,
        );
      promise(world, "web");
      const state = world.master.state as MasterState;
      for (const done of actions) {
        if (done.type === "accept" || done.type === "decline") {
          const framework = frameworks[done.framework] as FrameworkWire;
          const open = [...(state.frameworks.get(framework.id)?.offers ?? [])];
          const offer = framework.all("offers").find((one) => one.offerId === open[0]?.id);
          if (offer === undefined || framework.ended) continue;
          if (done.type === "decline")
            framework.say({ declines: [{ offerIds: [offer.offerId], filters: { refuseMs: done.refuseMs } }] });
          else {
            const groups = done.sizes.map((cpuMillis) =>
              aGroup([aTask(`t-${++count}`, { resources: resources({ cpuMillis }), ...importance(count) })], {
                ports: [{ label: "p", number: done.port, to: 0, protocol: "", hostNetwork: "" }],
              }),
            );
            framework.accept([offer], groups, 0);
          }
        } else if (done.type === "status") {
          const agent = agents[done.agent] as AgentWire;
          const tasks = [...(state.agents.get(agent.id)?.tasks ?? [])];
          const task = tasks[done.pick % Math.max(1, tasks.length)];
          if (task === undefined || agent.ended || agent.all("launches").length === 0) continue;
          const next = done.end ? TaskState.TASK_FINISHED : TaskState.TASK_RUNNING;
          agent.report(task.id, next, {
            sequence: task.sequence + 1,
            launchId: task.group.launchId,
            frameworkId: task.group.framework.id,
          });
        } else if (done.type === "drop-agent") {
          (agents[done.agent] as AgentWire).close();
          world.clock.settle();
        } else if (done.type === "back-agent") {
          const old = agents[done.agent] as AgentWire;
          if (!old.ended) continue;
          const tasks = done.keeps ? [...(state.agents.get(old.id)?.tasks ?? [])] : [];
          const agent = world.agent(old.id, {}, false);
          agents[done.agent] = agent;
          agent.register(
            {},
            tasks.map((task) => ({
              frameworkId: task.group.framework.id,
              frameworkName: task.group.framework.name,
              role: task.group.member.role.name,
              task: aTask(task.id, { resources: task.resources }),
              launchId: task.group.launchId,
              ports: [],
              status: { ...task.status, state: TaskState.TASK_RUNNING, sequence: task.sequence + 1, agentId: old.id },
              acknowledged: false,
              executorId: "",
              reserved: [],
              volumes: [],
            })),
          );
        } else if (done.type === "drop-framework") {
          const old = frameworks[done.framework] as FrameworkWire;
          old.close();
          world.clock.settle();
          const roles = [done.framework === 0 ? "web" : "ops"];
          frameworks[done.framework] = world.framework(old.name, { frameworkId: old.id, roles });
        } else if (done.type === "demand") {
          const framework = frameworks[done.framework] as FrameworkWire;
          if (framework.ended) continue;
          const { count: wanted, cpuMillis, priority } = done;
          const demand = {
            role: done.framework === 0 ? "web" : "ops",
            count: wanted,
            demandId: "",
            constraints: [],
            agentIds: [],
          };
          const shape = resources({ cpuMillis });
          framework.say({ demands: [{ ...demand, resources: shape, ...(priority ? { priority } : {}) }] });
        } else if (done.type === "kill") {
          const tasks = [...state.agents.values()].flatMap((agent) => [...agent.tasks]);
          const task = tasks.find(({ kill }) => kill !== undefined);
          const agent = agents.find(({ id }) => id === task?.group.agent.id);
          if (task === undefined || agent === undefined || agent.ended) continue;
          preempted++;
          agent.report(task.id, TaskState.TASK_KILLED, {
            sequence: task.sequence + 1,
            launchId: task.group.launchId,
            frameworkId: task.group.framework.id,
          });
        } else {
          for (const agent of agents) if (!agent.ended) agent.say({ pong: { pingNumber: 1 } });
          world.clock.advance(done.ms);
        }
        checkBooks(state);
        expect(world.failed).toBeUndefined();
      }
    }),
    { numRuns: 40, examples: [[[...somebodyIsEnded]]] },
  );
  // It would all be for nothing if nobody had ever been ended for anybody.
  expect(preempted).toBeGreaterThan(0);
});

/** Some say how important they are, some have a budget. */
function importance(count: number): Partial<TaskInfo> {
  if (count % 3 === 0) return {};
  return count % 3 === 1 ? { priority: 30 } : { priority: 10, preemptionBudget: "some", preemptedMax: 1 };
}
