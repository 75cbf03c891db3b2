import { type CallHandler, emptyMessage, MusterError, resources } from "@muster/foundation";
import { type ConnectRequest, StatusReason, type TaskInfo, TaskState } from "@muster/proto";
import { expect, test } from "vitest";
import { type AgentWire, aGroup, aTask, type FrameworkWire, World } from "../../world.test.fixture.ts";
import { limits } from "../limits.ts";
import { Budget, missingMsMax } from "./budget.ts";

const quiet = { heartbeatIntervalMs: 1e12, pingIntervalMs: 1e12, offerTimeoutMs: 1e12 };
const one = resources({ cpuMillis: 500, memoryMiB: 256 });
const ofBudget: Partial<TaskInfo> = { priority: 30, preemptionBudget: "job/g", preemptedMax: 2 };

/** An agent full of eight tasks that share a budget, and a framework whose role is promised all of it. */
class Scene {
  world = new World(quiet);
  agent: AgentWire = this.world.agent("a-1");
  web!: FrameworkWire;
  readonly #told: ConnectRequest["tasks"] = [];

  constructor(more: Partial<TaskInfo> = ofBudget) {
    const batch = this.world.framework("batch", { roles: ["ops"] });
    const offers = batch.freshOffers();
    const groups = Array.from({ length: 8 }, (_, index) => aGroup([aTask(`b-${index}`, more)]));
    batch.accept(offers, groups, 1e9);
    for (let index = 0; index < 8; index++) {
      const status = this.agent.report(`b-${index}`, TaskState.TASK_RUNNING, { sequence: 1 });
      const task = { ...aTask(`b-${index}`, more), spec: Buffer.alloc(0) };
      const ids = { frameworkId: batch.id, frameworkName: "batch", role: "ops", launchId: `launch-b-${index}` };
      this.#told.push({ ...emptyMessage("TaskReport"), ...ids, task, status });
    }
    batch.say({ suppresses: [{ roles: [] }] });
    this.promise(4_000);
    this.want();
  }

  promise(cpuMillis: number): void {
    const setQuota = this.world.master.handlers["Operator.SetQuota"] as CallHandler<"Operator.SetQuota">;
    const guarantee = resources({ cpuMillis, memoryMiB: cpuMillis / 2 });
    const request = { role: "web", guarantee, limit: null, limitedToNone: [], force: true, dryRun: false };
    setQuota(request, { address: "test", principal: "local" }, ({ ok }) => expect(ok).toBe(true));
    this.world.clock.settle();
  }

  /** So many more than there is room for are wanted. */
  want(): void {
    this.web = this.world.framework("web", { roles: ["web"], suppressedRoles: ["web"] });
    const demand = { role: "web", count: 5, demandId: "", constraints: [], agentIds: [], resources: one, priority: 70 };
    this.web.say({ demands: [demand] });
  }

  /** Another master; the agent tells it what lives. */
  failOver(): void {
    const ended = new Set(this.killed);
    this.world = this.world.restart(quiet);
    this.agent = this.world.agent("a-1", {}, false);
    this.agent.register(
      {},
      this.#told.filter(({ task }) => !ended.has(task?.taskId ?? "")),
    );
    this.want();
  }

  get killed(): string[] {
    return this.agent.all("kills").map(({ taskId }) => taskId);
  }

  endKilled(): void {
    for (const taskId of this.killed)
      this.agent.report(taskId, TaskState.TASK_KILLED, { sequence: 2, reason: StatusReason.REASON_PREEMPTED });
  }

  get stored(): Record<string, unknown>[] {
    const entries = [...this.world.data.entries].filter(([key]) => key.startsWith("budgets/"));
    return entries.map(([, { value }]) => JSON.parse(new TextDecoder().decode(value)));
  }
}

test("a budget has so many to lose until successors of later launches run, or for five minutes", () => {
  const budget = new Budget("f", "b", 3);
  budget.take(1_000, 51_000);
  budget.take(1_000, 51_000);
  budget.take(2_000, 52_000);
  expect(budget.left(2_000)).toBe(0);
  expect(budget.replace(50_999)).toBe(false);
  expect(budget.replace(51_500)).toBe(true);
  expect(budget.left(2_000)).toBe(1);
  budget.giveBack(2_000);
  expect(budget.left(2_000)).toBe(2);
  expect(budget.nextOverMs).toBe(1_000 + missingMsMax);
  expect(budget.left(1_000 + missingMsMax)).toBe(3);
  budget.forget(1_000 + missingMsMax);
  expect([budget.missingCount, budget.nextOverMs, budget.isIdle]).toEqual([0, undefined, true]);
});

test("what a budget loses is in the store before anybody is told to end, and a new master takes no more of it", () => {
  const scene = new Scene();
  let atKill: unknown;
  const { store } = scene.world;
  const transact = store.transact.bind(store);
  store.transact = (transaction, done) => {
    if (transaction.puts.some(({ key }) => key.startsWith("budgets/"))) atKill ??= scene.killed;
    transact(transaction, done);
  };
  scene.world.clock.advance(30_000);
  expect(atKill).toEqual([]);
  expect(scene.killed).toHaveLength(2);
  expect(scene.stored).toEqual([expect.objectContaining({ name: "job/g", max: 2, missingCount: 2 })]);
  scene.endKilled();
  scene.failOver();
  scene.world.clock.advance(missingMsMax - 1_000);
  expect(scene.killed).toEqual([]);
  // The time begins anew, for the clocks of two masters may differ.
  scene.world.clock.advance(40_000);
  expect(scene.killed).toHaveLength(2);
});

test("the registry's entry goes when its time is over, and when a successor runs", () => {
  const scene = new Scene();
  scene.world.clock.advance(30_000);
  scene.endKilled();
  const { world, web } = scene;
  web.say({ demands: [{ role: "web", count: 0, demandId: "", constraints: [], agentIds: [], resources: one }] });
  scene.promise(0);
  const other = world.agent("a-2", { resources: one });
  const batch = world.framework("batch", { roles: ["ops"], frameworkId: frameworkOf(scene) });
  const there = batch.freshOffers().filter(({ agentId }) => agentId === "a-2");
  batch.accept(there, [aGroup([aTask("successor", ofBudget)])]);
  expect(scene.stored).toMatchObject([{ missingCount: 2 }]);
  other.report("successor", TaskState.TASK_RUNNING, { sequence: 1 });
  expect(scene.stored).toMatchObject([{ missingCount: 1 }]);
  world.clock.advance(missingMsMax);
  expect(scene.stored).toEqual([]);
  expect(world.master.state?.preemption.wanting.size).toBe(0);
});

test("a group that a former master launched is nobody's successor when it runs", () => {
  const scene = new Scene();
  scene.world.clock.advance(30_000);
  scene.endKilled();
  scene.failOver();
  // Told as living, and it runs again: it may have been there before the others ended.
  const frameworkId = frameworkOf(scene);
  const survivor = [...(scene.world.master.state?.frameworks.get(frameworkId)?.tasks.keys() ?? [])][0] ?? "";
  const ids = { frameworkId, launchId: `launch-${survivor}` };
  scene.agent.report(survivor, TaskState.TASK_STARTING, { sequence: 3, ...ids });
  scene.agent.report(survivor, TaskState.TASK_RUNNING, { sequence: 4, ...ids });
  expect(scene.stored).toMatchObject([{ missingCount: 2 }]);
  scene.world.clock.advance(60_000);
  expect(scene.killed).toEqual([]);
});

test("while the store takes nothing nobody with a budget is ended; afterwards they are, and what was not done is not counted", () => {
  const scene = new Scene();
  scene.world.storeFault = new MusterError("unavailable", "the store is away");
  scene.world.clock.advance(10_000);
  expect(scene.killed).toEqual([]);
  expect(scene.world.master.state?.preemption.holds.size).toBe(0);
  expect(scene.world.master.state?.preemption.ending.size).toBe(0);
  scene.world.storeFault = undefined;
  scene.world.clock.advance(60_000);
  expect(scene.killed).toHaveLength(2);
  expect(scene.stored).toMatchObject([{ missingCount: 2 }]);
});

test("who has no budget is ended without a write", () => {
  const scene = new Scene({ priority: 30 });
  scene.world.storeFault = new MusterError("unavailable", "the store is away");
  scene.world.clock.advance(10_000);
  expect(scene.killed).toHaveLength(5);
});

test("what ends by itself, or is wanted by nobody any more, while the store is asked, costs its budget nothing", () => {
  const scene = new Scene();
  const { store, clock } = scene.world;
  const transact = store.transact.bind(store);
  store.transact = (transaction, done) => void clock.after(5_000, () => transact(transaction, done));
  clock.advance(3_000);
  const chosen = [...(scene.world.master.state?.preemption.ending ?? [])].map(({ launchId }) => launchId.slice(7));
  expect(chosen).toHaveLength(2);
  const [first = ""] = chosen;
  scene.agent.report(first, TaskState.TASK_FINISHED, { sequence: 2 });
  clock.advance(10_000);
  expect(scene.killed).not.toContain(first);
  store.transact = transact;
  clock.advance(1_000);
  expect(scene.stored).toMatchObject([{ missingCount: scene.killed.length }]);
});

test("of two entries that tell of one budget the larger count holds, and one entry stays", () => {
  const scene = new Scene();
  scene.world.clock.advance(30_000);
  scene.endKilled();
  const [stored] = scene.stored;
  const key = "budgets/stray";
  const value = new TextEncoder().encode(JSON.stringify({ ...stored, id: "stray", missingCount: 1 }));
  scene.world.data.entries.set(key, { key, value, version: 1 });
  scene.failOver();
  scene.world.clock.settle();
  expect(scene.stored).toMatchObject([{ missingCount: 2 }]);
});

test("while as many budgets lack some as may be remembered no other loses any", () => {
  const scene = new Scene();
  const { wanting } = scene.world.master.state?.preemption ?? { wanting: new Set<Budget>() };
  for (let index = 0; index < limits.budgetsWanting; index++) {
    const budget = new Budget("f", `${index}`, 1);
    budget.take(scene.world.clock.monotonicMs(), 0);
    wanting.add(budget);
  }
  scene.world.clock.advance(60_000);
  expect(scene.killed).toEqual([]);
});

function frameworkOf({ world }: Scene): string {
  return [...(world.master.state?.frameworks.values() ?? [])].find(({ name }) => name === "batch")?.id ?? "";
}
