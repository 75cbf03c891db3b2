import { type Resources, resources, revocableCpu } from "@muster/foundation";
import { StatusReason, TaskState } from "@muster/proto";
import { expect, test } from "vitest";
import { CheckedTasks } from "./checked-tasks.test.support.ts";
import { usesRemembered } from "./lending.ts";

/** An agent that lends four fifths. Tasks are given as what they have. */
function lender(amounts: Readonly<Record<string, Partial<Resources>>>, idleCpuMillis = 100_000) {
  const tasks = new CheckedTasks();
  Object.assign(tasks.state, { config: { ...tasks.state.config, lentFraction: 0.8 } });
  for (const [taskId, amount] of Object.entries(amounts)) {
    tasks.launch(taskId, taskId, [], []);
    const task = tasks.state.named.get(`f/${taskId}`)?.[0];
    if (task) Object.assign(task, { info: { ...task.info, resources: resources(amount) } });
  }
  /** One measurement: what each task used. */
  const uses = (used: Readonly<Record<string, number>>): void => {
    const byId = Object.entries(used).map(
      ([taskId, cpuMillis]) => [tasks.state.named.get(`f/${taskId}`)?.[0]?.id ?? "", cpuMillis] as const,
    );
    tasks.input({ type: "processor-measured", use: { tasks: new Map(byId), idleCpuMillis } });
  };
  const measured = (used: Readonly<Record<string, number>>): void => {
    for (let count = 0; count < usesRemembered; count++) uses(used);
  };
  return { tasks, uses, measured, lent: () => tasks.state.lending.cpuMillis };
}

const borrows = (cpuMillis: number): Partial<Resources> => ({ custom: { [revocableCpu]: cpuMillis } });

test("what tasks do not use of their processor is lent once it was measured for long enough", () => {
  const { uses, lent } = lender({ web: { cpuMillis: 1_000 }, api: { cpuMillis: 500 } });
  for (let count = 1; count < usesRemembered; count++) {
    uses({ web: 200, api: 400 });
    expect(lent()).toBe(0);
  }
  uses({ web: 100, api: 400 });
  // Of 800 and 100 unused, by the most that either has used of late, four fifths.
  expect(lent()).toBe(720);
});

test("a task that can't be measured counts as used in full, and so does one that uses more than it has", () => {
  const { measured, lent } = lender({
    web: { cpuMillis: 1_000 },
    unseen: { cpuMillis: 1_000 },
    busy: { cpuMillis: 100 },
  });
  measured({ web: 500, busy: 900 });
  expect(lent()).toBe(400);
});

test("no more is lent than the host has idle, beside what borrowers use", () => {
  const { measured, lent } = lender({ web: { cpuMillis: 4_000 }, batch: borrows(300) }, 200);
  measured({ web: 0, batch: 300 });
  expect(lent()).toBe(400);
});

test("when the owners want it back, borrowers end as preempted, those that came last first, and no more than must", () => {
  const { tasks, uses, measured, lent } = lender({
    web: { cpuMillis: 2_000 },
    old: borrows(500),
    middle: borrows(500),
    young: borrows(500),
  });
  measured({ web: 0 });
  expect(lent()).toBe(1_600);
  expect(tasks.killed).toEqual([]);
  uses({ web: 800 });
  expect(lent()).toBe(960);
  expect(tasks.killed.map(({ taskId }) => taskId)).toEqual(["young", "middle"]);
  // What is ending is not ended again, nor does another have to go for it.
  uses({ web: 800 });
  expect(tasks.killed).toHaveLength(2);
  tasks.end("young");
  expect(tasks.statuses.at(-1)).toMatchObject({
    state: TaskState.TASK_KILLED,
    reason: StatusReason.REASON_PREEMPTED,
    message: expect.stringContaining("the agent lends 0.96 of a core now"),
  });
  uses({ web: 2_000 });
  expect(lent()).toBe(0);
  expect(tasks.killed.map(({ taskId }) => taskId)).toEqual(["young", "middle", "old"]);
});

test("an agent that begins anew ends no borrower before it knows what its tasks use", () => {
  const { tasks, measured, uses } = lender({ web: { cpuMillis: 1_000 }, batch: borrows(500) });
  measured({ web: 0 });
  tasks.restart();
  Object.assign(tasks.state, { config: { ...tasks.state.config, lentFraction: 0.8 } });
  for (let count = 1; count < usesRemembered; count++) uses({ web: 0 });
  expect(tasks.killed).toEqual([]);
  uses({ web: 0 });
  expect(tasks.state.lending.cpuMillis).toBe(800);
  expect(tasks.killed).toEqual([]);
});

test("small changes are not told, all or nothing is", () => {
  const { measured, lent } = lender({ web: { cpuMillis: 1_000 } });
  measured({ web: 0 });
  expect(lent()).toBe(800);
  measured({ web: 90 });
  expect(lent()).toBe(800);
  measured({ web: 110 });
  expect(lent()).toBe(712);
  measured({ web: 1_000 });
  expect(lent()).toBe(0);
});

test("an agent that lends nothing measures nothing", () => {
  const tasks = new CheckedTasks();
  tasks.launch("web", "web", [], []);
  tasks.pass(60_000);
  expect(tasks.state.lending.isUnderWay).toBe(false);
  Object.assign(tasks.state, { config: { ...tasks.state.config, lentFraction: 0.5 } });
  tasks.input({ type: "wake" });
  expect(tasks.state.lending.isUnderWay).toBe(true);
});
