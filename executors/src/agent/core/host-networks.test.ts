import { type PortRequest, StatusReason, TaskState } from "@muster/proto";
import { expect, test } from "vitest";
import { CheckedTasks } from "./checked-tasks.test.support.ts";

const { TASK_ERROR, TASK_DROPPED } = TaskState;

function anAgent(
  networks = [
    { name: "private", ip: "10.1.0.7" },
    { name: "public", ip: "192.0.2.7" },
  ],
): CheckedTasks {
  const tasks = new CheckedTasks();
  tasks.input({ type: "host-networks", networks });
  return tasks;
}

function port(hostNetwork: string, number = 0): PortRequest {
  return { label: "http", number, to: 0, protocol: "", hostNetwork };
}

function latest(tasks: CheckedTasks, taskId: string) {
  return tasks.statuses.filter((status) => status.taskId === taskId).at(-1);
}

test("a port of a named network is open on its address, and the task is told so", () => {
  const tasks = anAgent();
  tasks.launch("t", "web", [], [port("private"), { ...port(""), label: "admin" }]);
  expect(latest(tasks, "t")?.container?.ports).toMatchObject([
    { label: "http", ip: "10.1.0.7", hostNetwork: "private" },
    { label: "admin", ip: "10.0.0.1" },
  ]);
  expect(latest(tasks, "t")?.container?.ports[1]).not.toHaveProperty("hostNetwork");
});

test("one number is for one task on each address, and for one alone where it is open on all", () => {
  const tasks = anAgent();
  for (const [taskId, network] of Object.entries({ a: "private", b: "public", c: "private", d: "" }))
    tasks.launch(taskId, "web", [], [port(network, 8_080)]);
  expect(["a", "b", "c", "d"].map((taskId) => latest(tasks, taskId)?.reason)).toEqual([
    0,
    0,
    StatusReason.REASON_PORT_IN_USE,
    StatusReason.REASON_PORT_IN_USE,
  ]);
  expect(latest(tasks, "c")?.message).toBe("PORT_IN_USE: port 8080 is held by a");
  // The books are the same after a restart.
  tasks.restart();
  tasks.launch("e", "web", [], [port("", 8_080)]);
  expect(latest(tasks, "e")?.state).toBe(TASK_DROPPED);
});

test("a network that the host lacks is refused with those that it has; when it comes, it can be had", () => {
  const tasks = anAgent();
  tasks.launch("t", "web", [], [port("storage")]);
  expect(latest(tasks, "t")).toMatchObject({ state: TASK_ERROR, reason: StatusReason.REASON_UNSUPPORTED });
  expect(latest(tasks, "t")?.message).toBe(
    'ports: "http" is to be open on host network storage, which this agent lacks; it has private, public',
  );
  tasks.input({ type: "host-networks", networks: [{ name: "storage", ip: "10.2.0.7" }] });
  tasks.launch("u", "web", [], [port("storage")]);
  expect(latest(tasks, "u")?.container?.ports[0]?.ip).toBe("10.2.0.7");
});
