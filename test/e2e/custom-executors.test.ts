import { fileURLToPath } from "node:url";
import { emptyMessage, grpcTransport, type MusterError, type Outlet } from "@muster/foundation";
import { Health, type LogsResponse, StatusReason, StatusSource, TaskState, type TaskStatus } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";

const { TASK_STARTING, TASK_RUNNING, TASK_KILLING, TASK_FINISHED, TASK_FAILED, TASK_KILLED, TASK_DROPPED } = TaskState;
const program = fileURLToPath(new URL("programs/custom-executor.js", import.meta.url));
const fixture = AgentFixture.use(beforeEach, afterEach);

/** As a master does: the executor first, then what it is to run. */
function launchExecutor(id: string, args: string[] = [], fields = {}, graceMs = 1_000): void {
  fixture.master.launch({
    taskId: `self-${id}`,
    executor: { executorId: id, ...fields },
    isExecutor: true,
    resources: { cpuMillis: 10, memoryMiB: 16 },
    spec: { command: process.execPath, arguments: [program, ...args], killPolicy: { signal: "", graceMs } },
  });
}

function give(id: string, taskId: string, data: object = {}, graceMs = 1_000): void {
  const spec = { driverConfigJson: JSON.stringify(data), killPolicy: { signal: "", graceMs } };
  fixture.master.launch({ taskId, executor: { executorId: id }, spec });
}

/** Each update once: one whose acknowledgement was lost comes again. */
const statesOf = (taskId: string): TaskState[] => [
  ...new Map(fixture.master.of(taskId).map(({ updateId, state }) => [updateId, state])).values(),
];
const last = (taskId: string): TaskStatus | undefined => fixture.master.of(taskId).at(-1);
const pidOf = (taskId: string): number => last(taskId)?.container?.pid ?? 0;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return pid > 0;
  } catch {
    return false;
  }
}

test("one executor runs tasks of several launches in one process, and reports them", async () => {
  await fixture.agent();
  launchExecutor("x");
  give("x", "a", { runMs: 20, health: "healthy" });
  give("x", "b", { runMs: 20, end: "failed" });
  await fixture.master.untilState("a", TASK_FINISHED);
  await fixture.master.untilState("b", TASK_FAILED);
  expect(statesOf("a")).toEqual([TASK_STARTING, TASK_RUNNING, TASK_FINISHED]);
  const running = fixture.master.of("a")[1];
  expect(running).toMatchObject({ source: StatusSource.STATUS_SOURCE_EXECUTOR, health: Health.HEALTH_HEALTHY });
  expect(last("b")).toMatchObject({ exitCode: 3, source: StatusSource.STATUS_SOURCE_EXECUTOR });
  const words = new Set(["a", "b"].map((taskId) => fixture.master.of(taskId)[1]?.message));
  expect(words).toEqual(new Set([`in process ${pidOf("self-x")}`]));
});

test("a kill goes to the executor with its grace, and the executor lives on", async () => {
  await fixture.agent();
  launchExecutor("x");
  give("x", "a");
  give("x", "b");
  await fixture.master.untilState("a", TASK_RUNNING);
  await fixture.master.untilState("b", TASK_RUNNING);
  fixture.master.kill("a", 400);
  await fixture.master.untilState("a", TASK_KILLED);
  expect(statesOf("a")).toEqual([TASK_STARTING, TASK_RUNNING, TASK_KILLING, TASK_KILLED]);
  expect(last("a")).toMatchObject({
    reason: StatusReason.REASON_KILLED_BY_FRAMEWORK,
    message: "with a grace of 400 ms",
  });
  expect(statesOf("b")).toEqual([TASK_STARTING, TASK_RUNNING]);
  expect(isAlive(pidOf("self-x"))).toBe(true);
});

test("whoever asks for the output of such a task is sent to its executor", async () => {
  const agent = await fixture.agent();
  launchExecutor("x");
  give("x", "a");
  await fixture.master.untilState("a", TASK_RUNNING);
  const error = await new Promise((resolve) => {
    const request = { ...emptyMessage("LogsRequest"), frameworkId: "framework-1", taskId: "a" };
    const outlet: Outlet<LogsResponse> = { send: () => {}, ready: () => true, end: resolve };
    agent.handlers["Tasks.Logs"]?.(request, outlet, { address: "test", principal: "local" });
  });
  expect(error).toMatchObject({ kind: "unsupported", message: expect.stringContaining("task self-x") });
});

test("messages pass both ways", async () => {
  await fixture.agent();
  launchExecutor("x");
  give("x", "a");
  await fixture.master.untilState("a", TASK_RUNNING);
  const relayed = { frameworkId: "framework-1", executorId: "x", data: Buffer.from("hello") };
  fixture.master.say({ executorMessages: [relayed] });
  const heard = () => fixture.master.requests.flatMap(({ executorMessages }) => executorMessages);
  await fixture.master.until(() => heard().length > 0, "a message");
  expect(heard().map((one) => ({ ...one, data: one.data.toString() }))).toEqual([
    { frameworkId: "framework-1", executorId: "x", data: "heard hello" },
  ]);
});

test("an executor that dies takes its tasks with it, with a reason of their own, and another one may follow", async () => {
  await fixture.agent();
  launchExecutor("x");
  give("x", "a");
  await fixture.master.untilState("a", TASK_RUNNING);
  process.kill(pidOf("self-x"), "SIGKILL");
  await fixture.master.untilState("a", TASK_FAILED);
  expect(last("a")).toMatchObject({
    reason: StatusReason.REASON_EXECUTOR_TERMINATED,
    message: "executor x: ended by SIGKILL",
  });
  expect(last("self-x")).toMatchObject({ state: TASK_FAILED, reason: StatusReason.REASON_COMMAND_EXITED });
  give("x", "b");
  await fixture.master.untilState("b", TASK_DROPPED);
  expect(last("b")?.reason).toBe(StatusReason.REASON_EXECUTOR_TERMINATED);
});

test("a task that its executor does not end within grace and bound ends with the executor", async () => {
  await fixture.agent();
  launchExecutor("x");
  give("x", "deaf", { deaf: true }, 50);
  give("x", "other");
  await fixture.master.untilState("deaf", TASK_RUNNING);
  await fixture.master.untilState("other", TASK_RUNNING);
  const pid = pidOf("self-x");
  fixture.master.kill("deaf");
  await fixture.master.untilState("deaf", TASK_KILLED);
  await fixture.master.untilState("other", TASK_FAILED);
  expect(last("self-x")).toMatchObject({ state: TASK_FAILED, reason: StatusReason.REASON_EXECUTOR_TIMEOUT });
  expect(last("other")).toMatchObject({
    reason: StatusReason.REASON_EXECUTOR_TIMEOUT,
    message: "executor x: it did not end task deaf within 5050 ms",
  });
  expect(isAlive(pid)).toBe(false);
});

test("an executor without tasks is shut down after its idle time, and has finished", async () => {
  await fixture.agent();
  launchExecutor("x", [], { idleTimeoutMs: 100 });
  give("x", "a", { runMs: 10 });
  await fixture.master.untilState("self-x", TASK_FINISHED);
  expect(statesOf("a")).toEqual([TASK_STARTING, TASK_RUNNING, TASK_FINISHED]);
  expect(last("self-x")).toMatchObject({ reason: StatusReason.REASON_EXECUTOR_IDLE, exitCode: 0 });
});

test("an executor that is to end has its tasks killed first", async () => {
  await fixture.agent();
  launchExecutor("x");
  give("x", "a");
  await fixture.master.untilState("a", TASK_RUNNING);
  fixture.master.kill("self-x");
  await fixture.master.untilState("self-x", TASK_KILLED);
  expect(last("a")).toMatchObject({ state: TASK_KILLED, message: "with a grace of 1000 ms" });
  expect(last("self-x")).toMatchObject({ exitCode: 0, reason: StatusReason.REASON_KILLED_BY_FRAMEWORK });
});

test("a restart of the agent leaves executor and tasks alone, and what happens meanwhile is told once", async () => {
  const agent = await fixture.agent();
  launchExecutor("x");
  give("x", "long");
  give("x", "short", { runMs: 300 });
  await fixture.master.untilState("long", TASK_RUNNING);
  await fixture.master.untilState("short", TASK_RUNNING);
  const pid = pidOf("self-x");
  await fixture.stop(agent, "leave");
  // It ends while nobody listens.
  await new Promise((resolve) => setTimeout(resolve, 400));
  await fixture.agent();
  await fixture.master.untilState("short", TASK_FINISHED);
  expect(statesOf("short")).toEqual([TASK_STARTING, TASK_RUNNING, TASK_FINISHED]);
  fixture.master.kill("long");
  await fixture.master.untilState("long", TASK_KILLED);
  expect(statesOf("long")).toEqual([TASK_STARTING, TASK_RUNNING, TASK_KILLING, TASK_KILLED]);
  expect(isAlive(pid)).toBe(true);
  expect(statesOf("self-x")).toEqual([TASK_STARTING, TASK_RUNNING]);
});

test("nobody attaches as an executor without its token, and what it says wrongly is refused by name", async () => {
  await fixture.agent();
  launchExecutor("x");
  give("x", "a");
  await fixture.master.untilState("a", TASK_RUNNING);
  const transport = grpcTransport();
  const attach = (executorId: string, token: string): Promise<MusterError | undefined> =>
    new Promise((resolve) => {
      const outlet = transport.open("Executors.Attach", `unix:${fixture.executorSocket}`, {
        receive: () => {},
        drained: () => {},
        closed: resolve,
      });
      const subscription = { frameworkId: "framework-1", executorId, token, taskIds: [], unacknowledged: [] };
      outlet.send({ subscription, statuses: [], messages: [] });
    });
  expect(await attach("x", "guessed")).toMatchObject({ kind: "forbidden", field: "subscription.token" });
  expect(await attach("y", "guessed")).toMatchObject({ kind: "not-found", field: "subscription.executor_id" });
  transport.close();
  expect(statesOf("a")).toEqual([TASK_STARTING, TASK_RUNNING]);
});

test("an executor that does not attach in time is killed, and its tasks fail with that reason", async () => {
  await fixture.agent();
  launchExecutor("x", ["silent"], { registrationTimeoutMs: 300 });
  give("x", "a");
  await fixture.master.untilState("self-x", TASK_RUNNING);
  const pid = pidOf("self-x");
  await fixture.master.untilState("a", TASK_FAILED);
  expect(last("a")).toMatchObject({
    reason: StatusReason.REASON_EXECUTOR_TIMEOUT,
    message: "executor x: it did not attach within 300 ms of its start",
  });
  expect(last("self-x")).toMatchObject({ state: TASK_FAILED, reason: StatusReason.REASON_EXECUTOR_TIMEOUT });
  expect(isAlive(pid)).toBe(false);
});
