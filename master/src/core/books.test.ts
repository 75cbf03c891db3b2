import {
  addResources,
  containsResources,
  isNegativeResources,
  noResources,
  resources,
  subtractResources,
} from "@muster/foundation";
import { TaskState } from "@muster/proto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type AgentWire, aGroup, aTask, type FrameworkWire, World } from "../world.test.fixture.ts";
import type { MasterState } from "./model.ts";

/** What the books of every agent must say, computed anew from tasks and offers. */
function checkBooks(state: MasterState): void {
  let available = noResources;
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
    expect(isNegativeResources(agent.allocated)).toBe(false);
    expect(containsResources(agent.total, addResources(allocated, offered))).toBe(true);
    for (const group of groups) for (const number of group.numbers) expect(agent.ports.get(number)).toBe(group);
    expect(new Set(agent.ports.values()).size).toBeLessThanOrEqual(groups.size);
  }
  expect(state.allocator.available).toEqual(available);
  for (const framework of state.frameworks.values()) {
    let held = noResources;
    for (const member of framework.members.values()) held = addResources(held, member.held);
    expect(held).toEqual(addResources(framework.allocated, framework.offered));
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
);

test("whatever happens, allocated, offered and free are what tasks and offers say", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      const world = new World();
      const agents: AgentWire[] = ["a-0", "a-1"].map((id) => world.agent(id));
      const frameworks: FrameworkWire[] = ["f0", "f1"].map((name) => world.framework(name));
      let count = 0;
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
              aGroup([aTask(`t-${++count}`, { resources: resources({ cpuMillis }) })], {
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
              role: "web",
              task: aTask(task.id, { resources: task.resources }),
              launchId: task.group.launchId,
              ports: [],
              status: { ...task.status, state: TaskState.TASK_RUNNING, sequence: task.sequence + 1, agentId: old.id },
              acknowledged: false,
              executorId: "",
            })),
          );
        } else if (done.type === "drop-framework") {
          const old = frameworks[done.framework] as FrameworkWire;
          old.close();
          world.clock.settle();
          frameworks[done.framework] = world.framework(old.name, { frameworkId: old.id });
        } else {
          for (const agent of agents) if (!agent.ended) agent.say({ pong: { pingNumber: 1 } });
          world.clock.advance(done.ms);
        }
        checkBooks(state);
        expect(world.failed).toBeUndefined();
      }
    }),
    { numRuns: 60 },
  );
});
