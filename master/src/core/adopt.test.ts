import { emptyMessage, resources } from "@muster/foundation";
import { type Discovery, type TaskReport, TaskState } from "@muster/proto";
import { expect, test } from "vitest";
import { aTask, World } from "../world.test.fixture.ts";
import type { Task } from "./model.ts";
import { partsPerFrameworkMax } from "./shared-parts.ts";

const discovery = (port: string, meta: Record<string, string> = {}): Discovery => ({
  endpoints: [{ name: "web", portLabel: port, protocol: "tcp", tags: ["a"], meta }],
});

function aReport(framework: string, launchId: string, taskId: string, task: Partial<TaskReport["task"]>): TaskReport {
  const ids = { frameworkId: `f-${framework}`, launchId };
  return {
    ...emptyMessage("TaskReport"),
    ...ids,
    frameworkName: framework,
    role: "web",
    task: { ...aTask(taskId), ...task },
    ports: [{ ...emptyMessage("PortRequest"), label: "http" }],
    status: { ...emptyMessage("TaskStatus"), ...ids, taskId, agentId: "a", state: TaskState.TASK_RUNNING, sequence: 1 },
    acknowledged: true,
  };
}

/** What a master knows of tasks that an agent has told it of. */
function adopted(reports: TaskReport[]): (framework: string, taskId: string) => Task {
  const world = new World();
  const agent = world.agent("a", {}, false);
  agent.register({}, reports);
  world.clock.settle();
  expect(agent.received.some(({ registered }) => registered !== null)).toBe(true);
  return (framework, taskId) => world.master.state?.frameworks.get(`f-${framework}`)?.tasks.get(taskId) as Task;
}

test("two frameworks that call their launches the same have groups of their own", () => {
  const taskOf = adopted([
    aReport("one", "l", "a", {}),
    aReport("two", "l", "a", {}),
    aReport("one", "l", "b", {}),
    aReport("two", "l", "b", {}),
    aReport("two", "m", "c", {}),
  ]);
  expect(taskOf("one", "a").group).toBe(taskOf("one", "b").group);
  expect(taskOf("two", "a").group).toBe(taskOf("two", "b").group);
  expect(taskOf("two", "a").group).not.toBe(taskOf("one", "a").group);
  expect(taskOf("two", "c").group).not.toBe(taskOf("two", "a").group);
  // One port for each group.
  expect(taskOf("one", "a").group.agent.allocated).toEqual(
    resources({ cpuMillis: 2_500, memoryMiB: 1_280, portCount: 3 }),
  );
});

test("tasks share what is alike, and nothing else", () => {
  const labels = { job: "web", group: "web" };
  const custom = { gpu: 1 };
  const told = {
    same: { labels, discovery: discovery("http") },
    again: { labels, discovery: discovery("http") },
    label: { labels: { job: "web" }, discovery: discovery("http") },
    longer: { labels: { job: "web", more: "" }, discovery: discovery("http") },
    port: { labels, discovery: discovery("admin") },
    meta: { labels, discovery: discovery("admin", { weight: "2" }) },
    none: { labels, discovery: null },
    empty: { labels, discovery: { endpoints: [] } },
    large: { labels, resources: resources({ cpuMillis: 501, memoryMiB: 256 }), discovery: null },
    custom: { labels, resources: { ...resources({ cpuMillis: 501, memoryMiB: 256 }), custom }, discovery: null },
    plain: { labels, resources: resources({ cpuMillis: 501, memoryMiB: 256 }), discovery: null },
  };
  const name = "web";
  const taskOf = adopted(Object.entries(told).map(([id, task]) => aReport("one", `l-${id}`, id, { ...task, name })));
  for (const [id, task] of Object.entries(told)) {
    const { labels: has, discovery: found, resources: uses } = taskOf("one", id);
    expect({ labels: has, discovery: found, resources: uses }, id).toEqual({
      resources: aTask(id).resources,
      ...task,
    });
  }
  expect(taskOf("one", "again").discovery).toBe(taskOf("one", "same").discovery);
  expect(taskOf("one", "again").labels).toBe(taskOf("one", "same").labels);
  expect(taskOf("one", "again").resources).toBe(taskOf("one", "same").resources);
});

test("tasks of names that came between share what was told before, up to a bound", () => {
  const named = (id: string, name: string): TaskReport => aReport("one", `l-${id}`, id, { name });
  const between = (first: number, count: number): TaskReport[] =>
    Array.from({ length: count }, (_, index) => named(`t-${first + index}`, `n-${first + index}`));
  const taskOf = adopted([
    named("first", "web"),
    ...between(0, partsPerFrameworkMax - 1),
    named("second", "web"),
    ...between(100, partsPerFrameworkMax),
    named("third", "web"),
  ]);
  const [first, second, third] = ["first", "second", "third"].map((id) => taskOf("one", id).resources);
  expect(second).toBe(first);
  expect(third).toEqual(first);
  expect(third).not.toBe(first);
});
