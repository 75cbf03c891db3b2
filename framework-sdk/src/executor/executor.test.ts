import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  codecOf,
  emptyMessage,
  type GrpcServer,
  type GrpcTransport,
  grpcTransport,
  MusterError,
  type Outlet,
  serveGrpc,
  silentLog,
  systemClock,
  systemRandom,
} from "@muster/foundation";
import { type AttachRequest, type AttachResponse, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createExecutor } from "./executor.ts";
import type { Executor, ExecutorHandler, ExecutorTask } from "./types.ts";
import { Unacknowledged, updatesPerTaskMax } from "./unacknowledged.ts";

/** The agent's end, on a real socket: says what a test tells it to. */
class ScriptedAgent {
  readonly received: AttachRequest[] = [];
  readonly outlets: Outlet<AttachResponse>[] = [];
  refuses: MusterError | undefined;
  #server: GrpcServer | undefined;

  start(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server = serveGrpc(
        {
          "Executors.Attach": (outlet) => {
            this.outlets.push(outlet);
            if (this.refuses) outlet.end(this.refuses);
            return {
              receive: (message) => {
                this.received.push(message);
                if (message.subscription) this.say({ attached: { agentId: "a", agentName: "here" } });
              },
              drained: () => {},
              closed: () => {},
            };
          },
        },
        {
          address: `unix:${path}`,
          log: silentLog,
          listening: (result) => (result instanceof MusterError ? reject(result) : resolve()),
        },
      );
    });
  }

  say(fields: Partial<AttachResponse>): void {
    this.outlets.at(-1)?.send({ ...emptyMessage("AttachResponse"), ...fields });
  }

  launch(taskId: string, data: unknown = null): void {
    const spec = { ...emptyMessage("TaskSpec"), command: "say", driverConfigJson: JSON.stringify(data) };
    const task = { ...emptyMessage("TaskInfo"), taskId, name: taskId, spec: codecOf("TaskSpec").encode(spec) };
    this.say({ launches: [{ ...emptyMessage("TaskGroup"), launchId: `launch-${taskId}`, tasks: [task] }] });
  }

  statuses(): { taskId: string; state: TaskState; sequence: number; updateId: string }[] {
    return this.received.flatMap(({ statuses }) => statuses);
  }

  subscriptions() {
    return this.received.flatMap(({ subscription }) => (subscription ? [subscription] : []));
  }

  stop(): Promise<void> {
    return new Promise((resolve) => this.#server?.close(resolve) ?? resolve());
  }
}

let folder = "";
let agent = new ScriptedAgent();
let transport: GrpcTransport;
let endCount = 0;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "muster-executor-"));
  agent = new ScriptedAgent();
  transport = grpcTransport();
  endCount = 0;
  await agent.start(join(folder, "agent"));
});
afterEach(async () => {
  transport.close();
  await agent.stop();
  rmSync(folder, { recursive: true, force: true });
});

function begin(handler: Partial<ExecutorHandler> = {}): { executor: Executor; tasks: ExecutorTask[] } {
  const tasks: ExecutorTask[] = [];
  const executor = createExecutor(
    { clock: systemClock, random: systemRandom, transport, log: silentLog },
    {
      address: `unix:${join(folder, "agent")}`,
      ...{ frameworkId: "f", executorId: "x", token: "secret", shutdownGraceMs: 2_000 },
      ended: () => void endCount++,
    },
    { launch: (task) => void tasks.push(task), kill: (task) => task.killed(), ...handler },
  );
  executor.start();
  return { executor, tasks };
}

const until = (condition: () => boolean) => expect.poll(condition, { timeout: 5_000 }).toBe(true);

test("what the agent has not confirmed is told again after a reconnection, what it has confirmed is not", async () => {
  const { tasks } = begin();
  await until(() => agent.subscriptions().length === 1);
  agent.launch("a", { word: "hello" });
  agent.launch("b");
  await until(() => tasks.length === 2);
  expect(tasks[0]).toMatchObject({ taskId: "a", command: "say", data: { word: "hello" } });
  tasks[0]?.running();
  tasks[1]?.finished({ exitCode: 0 });
  await until(() => agent.statuses().length === 2);
  agent.say({ acknowledgedUpdateIds: [agent.statuses()[0]?.updateId ?? ""] });
  agent.outlets[0]?.end(new MusterError("unavailable", "the agent goes"));
  await until(() => agent.subscriptions().length === 2);
  expect(agent.subscriptions()[1]).toMatchObject({
    token: "secret",
    taskIds: ["a"],
    unacknowledged: [{ taskId: "b", state: TaskState.TASK_FINISHED, sequence: 1 }],
  });
});

test("a launch that comes again begins nothing, also if its task is over and nobody knows it yet", async () => {
  const { tasks } = begin();
  await until(() => agent.subscriptions().length === 1);
  agent.launch("a");
  agent.launch("a");
  await until(() => tasks.length > 0);
  tasks[0]?.finished();
  agent.launch("a");
  agent.launch("b");
  await until(() => tasks.length === 2);
  expect(tasks.map(({ taskId }) => taskId)).toEqual(["a", "b"]);
});

test("a launch that throws is a failed task with what it threw, and the executor goes on", async () => {
  begin({
    launch: () => {
      throw new Error("no such word");
    },
  });
  await until(() => agent.subscriptions().length === 1);
  agent.launch("a");
  await until(() => agent.statuses().length === 1);
  expect(agent.statuses()[0]).toMatchObject({ state: TaskState.TASK_FAILED, message: "no such word" });
  expect(endCount).toBe(0);
});

test("an executor that is to end kills its tasks, and goes when the agent has confirmed their ends", async () => {
  const { executor, tasks } = begin();
  await until(() => agent.subscriptions().length === 1);
  agent.launch("a");
  await until(() => tasks.length === 1);
  agent.say({ shutdown: true });
  await until(() => agent.statuses().length === 1);
  expect(agent.statuses()[0]?.state).toBe(TaskState.TASK_KILLED);
  expect([executor.tasks.length, endCount]).toEqual([0, 0]);
  agent.say({ acknowledgedUpdateIds: [agent.statuses()[0]?.updateId ?? ""] });
  await until(() => endCount === 1);
});

test("an executor that its agent does not know ends by itself", async () => {
  agent.refuses = new MusterError("not-found", "no such executor");
  begin();
  await until(() => endCount === 1);
  expect(agent.outlets).toHaveLength(1);
});

test("bytes longer than a message may be are refused, and without an agent none are taken", async () => {
  const { executor } = begin();
  expect(executor.send("early")).toBe(false);
  await until(() => executor.isAttached);
  expect(() => executor.send(Buffer.alloc(64 * 1024 + 1))).toThrow("data: must have at most 65536 bytes");
  expect(executor.send("hello")).toBe(true);
  await until(() => agent.received.some(({ messages }) => messages.some((data) => `${data}` === "hello")));
});

test("of a task that tells without end that it runs the oldest are left out, its end never", () => {
  const waiting = new Unacknowledged();
  const add = (sequence: number, state: TaskState): void =>
    waiting.add({ ...emptyMessage("TaskStatus"), taskId: "a", updateId: `a-${sequence}`, sequence, state });
  for (let sequence = 1; sequence <= 1_000; sequence++) add(sequence, TaskState.TASK_RUNNING);
  add(1_001, TaskState.TASK_FINISHED);
  for (let sequence = 1_002; sequence <= 2_000; sequence++) add(sequence, TaskState.TASK_RUNNING);
  expect(waiting.size).toBe(updatesPerTaskMax);
  expect(waiting.all().some(({ state }) => state === TaskState.TASK_FINISHED)).toBe(true);
});
