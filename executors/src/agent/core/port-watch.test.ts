import { StatusReason, TaskState, type TaskStatus } from "@muster/proto";
import { expect, test } from "vitest";
import type { HostTask, TaskListener } from "../../world/host-ports.ts";
import { CheckedTasks } from "./checked-tasks.test.support.ts";
import { nextWakeMs } from "./deadlines.ts";
import type { PortEnforcement } from "./port-watch.ts";
import { strayPortsToldMax } from "./port-watch.ts";
import { step } from "./step.ts";

const { TASK_RUNNING, TASK_KILLING, TASK_FAILED } = TaskState;
const { REASON_PORT_NOT_ALLOCATED } = StatusReason;

/** A task that runs in the host's network under an agent that enforces ports so. */
function aTask(enforcePorts: PortEnforcement) {
  const tasks = new CheckedTasks();
  tasks.state = { ...tasks.state, config: { ...tasks.state.config, enforcePorts } };
  tasks.launch("t", "web", []);
  const task = [...tasks.state.tasks.values()][0];
  if (!task) throw new Error("no task");
  const listens = (...ports: number[]): void =>
    tasks.input({ type: "listeners-found", found: ports.map((port) => aListener(task.id, port)) });
  return { tasks, task, listens, ownPort: task.group.assigned[0]?.number ?? 0 };
}

function aListener(id: string, port: number): TaskListener {
  return { id, port, protocol: "tcp", pid: 9, command: "perl" };
}

function told({ tasks }: { tasks: CheckedTasks }): TaskStatus[] {
  return tasks.statuses.filter(({ reason }) => reason === REASON_PORT_NOT_ALLOCATED);
}

test("a port of its own group is no matter for a task, whoever looks", () => {
  const { tasks, task, listens, ownPort } = aTask("kill");
  listens(ownPort);
  expect(task).toMatchObject({ phase: "running", kill: undefined });
  expect(told({ tasks })).toEqual([]);
});

test("a task that listens elsewhere is ended as failed, and its status names port and process", () => {
  const { tasks, task, listens } = aTask("kill");
  listens(9_000);
  expect(told({ tasks }).map(({ state }) => state)).toEqual([TASK_KILLING]);
  tasks.input({ type: "exited", id: task.id, exit: { exitCode: undefined, signal: "SIGTERM", at: 1 } });
  expect(told({ tasks }).at(-1)).toMatchObject({ state: TASK_FAILED });
  expect(told({ tasks }).at(-1)?.message).toBe(
    "PORT_NOT_ALLOCATED: pid 9 (perl) listens on tcp port 9000, which its group was not given",
  );
});

test("a warning comes once for each port, and never for more ports than a queue of statuses bears", () => {
  const { tasks, task, listens } = aTask("warn");
  listens(9_000, 9_001);
  listens(9_000);
  expect(told({ tasks }).map(({ state }) => state)).toEqual([TASK_RUNNING, TASK_RUNNING]);
  for (let port = 10_000; port < 10_100; port++) listens(port);
  expect(told({ tasks })).toHaveLength(strayPortsToldMax);
  expect(task.phase).toBe("running");
});

test("tasks are looked at in turn while there are any, and never where nobody asked for it", () => {
  const { tasks, task } = aTask("warn");
  const looks: (readonly HostTask[])[] = [];
  const wake = (): number | undefined => {
    const now = { monotonicMs: tasks.nowMs, epochMs: tasks.nowMs };
    for (const effect of step(tasks.state, { type: "wake" }, now))
      if (effect.type === "find-listeners") looks.push(effect.tasks);
    return nextWakeMs(tasks.state, now);
  };
  expect(wake()).toBeUndefined();
  expect(looks.map((list) => list.map(({ id }) => id))).toEqual([[task.id]]);
  tasks.input({ type: "listeners-found", found: [] });
  expect(wake()).toBe(tasks.nowMs + tasks.state.config.portWatchMs);
  expect(looks).toHaveLength(1);
  tasks.end("t");
  const { state } = aTask("off").tasks;
  expect(nextWakeMs(state, { monotonicMs: tasks.nowMs, epochMs: tasks.nowMs })).toBeUndefined();
});
