import { emptyMessage, seededRandom } from "@muster/foundation";
import { LifecycleHook, RestartMode, StatusReason, type TaskSpec, TaskState, type TaskStatus } from "@muster/proto";
import { expect, test } from "vitest";
import { emptySpec, emptyTaskInfo } from "../empty.ts";
import { coreConfig } from "./core-config.test.support.ts";
import { createState } from "./create-state.ts";
import type { AgentEffect, AgentInput, Purpose } from "./effects.ts";
import type { ExecutorOrder } from "./executor-model.ts";
import { type AgentState, type FoundGroup, type LaunchRequest, plainNetwork, type Task } from "./model.ts";
import { stateRecord } from "./recover.ts";
import { step } from "./step.ts";

const { TASK_RUNNING, TASK_FINISHED, TASK_FAILED, TASK_KILLED } = TaskState;

/** An agent with one executor, whose disk and processes answer when a test lets them. */
class Play {
  state = aState();
  nowMs = 1_000;
  session = 0;
  readonly orders: ExecutorOrder[] = [];
  readonly ended: string[] = [];
  readonly effects: AgentEffect[] = [];

  input(input: AgentInput): void {
    for (const effect of step(this.state, input, { monotonicMs: this.nowMs, epochMs: 1_700_000_000_000 + this.nowMs }))
      if (effect.type === "executor-send") this.orders.push(effect.order);
      else if (effect.type === "executor-end") this.ended.push(effect.refusal.kind);
      else this.effects.push(effect);
  }

  /** Answers what waits for the disk, or says that it can't be written. */
  settleDisk(isBroken = false): void {
    for (let effect = this.effects.shift(); effect; effect = this.effects.shift()) {
      if (effect.type !== "persist-intent" && effect.type !== "persist-state") continue;
      if (effect.purpose) this.#settle(effect.purpose, isBroken);
    }
  }

  #settle(purpose: Purpose, isBroken: boolean): void {
    if (isBroken) this.input({ type: "not-durable", purpose, failure: { kind: "full", message: "no space" } });
    else this.input({ type: "durable", purpose });
  }

  launch(taskId: string, isSelf: boolean, more: Partial<LaunchRequest> = {}, spec: Partial<TaskSpec> = {}): void {
    const launch: LaunchRequest = {
      frameworkId: "f",
      frameworkName: "own",
      role: "web",
      launchId: `launch-${taskId}`,
      networkMode: "host",
      network: plainNetwork,
      ports: [],
      executor: { id: "x", isSelf, registrationTimeoutMs: 60_000, idleTimeoutMs: 30_000 },
      tasks: [{ info: { ...emptyTaskInfo, taskId }, spec: { ...emptySpec(), command: "run", ...spec }, problem: "" }],
      ...more,
    };
    this.input({ type: "launch", launch });
  }

  /** Launches and starts the executor, and attaches it. */
  begin(): this {
    this.launch("self", true);
    this.settleDisk();
    this.input({ type: "started", id: this.task("self").id, started: facts });
    this.attach([]);
    return this;
  }

  attach(taskIds: string[], unacknowledged: TaskStatus[] = []): void {
    const token = this.task("self").group.executor?.token ?? "";
    const attachment = { frameworkId: "f", executorId: "x", token, taskIds, unacknowledged };
    this.input({ type: "executor-attached", session: ++this.session, attachment });
  }

  say(...statuses: TaskStatus[]): void {
    this.input({ type: "executor-said", session: this.session, statuses, messages: [] });
  }

  task(taskId: string): Task {
    return this.state.named.get(`f/${taskId}`)?.at(-1) as Task;
  }

  takeOrders(): ExecutorOrder[] {
    return this.orders.splice(0);
  }

  /** The agent dies, with a disk that holds everything, and begins again. The executor lives on. */
  restart(): void {
    const groups: FoundGroup[] = [...this.state.groups.values()].map((group) => ({
      key: group.key,
      damaged: false,
      intent: JSON.parse(
        JSON.stringify({
          ...{ launchId: group.launchId, frameworkId: "f", frameworkName: "own", role: "web", networkMode: "host" },
          ...{ network: group.network, ports: [], assigned: [], executor: group.executor },
          ...{ agentId: "agent-1", epoch: 1, bootId: this.state.config.bootId },
          tasks: group.tasks.map(({ info, spec }) => ({ info, spec })),
        }),
      ),
      states: new Map(group.tasks.map((task, index) => [index, JSON.parse(JSON.stringify(stateRecord(task)))])),
    }));
    this.effects.length = 0;
    this.state = aState();
    this.input({ type: "recovered", groups });
    if (this.task("self").phase !== "ended") this.input({ type: "started", id: this.task("self").id, started: facts });
  }
}

const facts = { pid: 7, startTicks: 1, shimPid: 6, shimStartTicks: 1, at: 1_000 };

function aState(): AgentState {
  return createState(coreConfig, { first: 20_000, last: 20_019, reuseAfterMs: 0 }, seededRandom("executors"), 0);
}

function update(taskId: string, state: TaskState, sequence: number, more: Partial<TaskStatus> = {}): TaskStatus {
  return { ...emptyMessage("TaskStatus"), taskId, state, sequence, updateId: `${taskId}-${sequence}`, ...more };
}

function given(play: Play, taskId: string): void {
  play.launch(taskId, false);
  play.settleDisk();
}

test("an update is confirmed when it is on the disk, never before, and a repetition at once", () => {
  const play = new Play().begin();
  given(play, "a");
  play.takeOrders();
  play.say(update("a", TASK_RUNNING, 1));
  expect(play.takeOrders()).toEqual([]);
  play.settleDisk(true);
  expect(play.takeOrders()).toEqual([]);
  play.say(update("a", TASK_RUNNING, 1));
  expect(play.takeOrders()).toEqual([]);
  play.settleDisk();
  expect(play.takeOrders()).toEqual([{ type: "acknowledge", updateId: "a-1" }]);
  play.say(update("a", TASK_RUNNING, 1));
  expect(play.takeOrders()).toEqual([{ type: "acknowledge", updateId: "a-1" }]);
  expect(play.task("a").sequence).toBe(2);
});

test("an update that can't be is refused by its field, and changes nothing", () => {
  const play = new Play().begin();
  given(play, "a");
  play.takeOrders();
  const wrong: [TaskStatus, string, string][] = [
    [update("other", TASK_RUNNING, 1), "not-found", "task_id"],
    [update("self", TASK_FINISHED, 1), "not-found", "task_id"],
    [update("a", TASK_RUNNING, 0), "invalid", "sequence"],
    [update("a", TaskState.TASK_STAGING, 1), "invalid", "state"],
    [update("a", TaskState.TASK_GONE, 1), "invalid", "state"],
  ];
  for (const [status, kind, field] of wrong) {
    play.say(status);
    expect(play.takeOrders()).toMatchObject([{ type: "refuse", refusal: { kind, field } }]);
  }
  play.say(update("a", TASK_FINISHED, 1));
  play.settleDisk();
  play.takeOrders();
  play.say(update("a", TASK_RUNNING, 2));
  expect(play.takeOrders()).toMatchObject([{ type: "refuse", refusal: { kind: "wrong-state", field: "state" } }]);
  expect(play.task("a").latest?.state).toBe(TASK_FINISHED);
});

test("after a restart a group that the executor never heard of is given, others are not given again", () => {
  const play = new Play().begin();
  given(play, "heard");
  given(play, "lost");
  given(play, "over");
  play.say(update("over", TASK_RUNNING, 1));
  play.settleDisk();
  play.launch("unheard", false);
  play.settleDisk();
  play.takeOrders();
  play.restart();
  expect(play.task("heard").phase).toBe("starting");
  play.attach(["heard"], [update("over", TASK_FINISHED, 2)]);
  const orders = play.takeOrders();
  const launched = orders.flatMap((order) => (order.type === "launch" ? [order.group.launchId] : []));
  expect(launched).toEqual(["launch-lost", "launch-unheard"]);
  expect(play.task("over").latest?.state).toBe(TASK_FINISHED);
  play.restart();
  play.attach(["heard"]);
  expect(play.task("over").latest?.state).toBe(TASK_FINISHED);
});

test("a task that ran and that its executor does not know any more has failed; one that the agent does not know is ended", () => {
  const play = new Play().begin();
  given(play, "a");
  play.say(update("a", TASK_RUNNING, 1));
  play.settleDisk();
  play.input({ type: "executor-detached", session: play.session });
  play.takeOrders();
  play.attach(["stranger"]);
  expect(play.task("a").latest).toMatchObject({
    state: TASK_FAILED,
    reason: StatusReason.REASON_EXECUTOR_TERMINATED,
  });
  expect(play.takeOrders()).toContainEqual({ type: "kill", taskId: "stranger", graceMs: 0 });
});

test("a group that asks of its executor what only the agent could do is refused by the field", () => {
  const play = new Play().begin();
  const network = { ...plainNetwork, downMbitMax: 1 };
  const restartPolicy = {
    attempts: 1,
    intervalMs: 1,
    delayMs: 1,
    mode: RestartMode.RESTART_MODE_FAIL,
    afterSuccess: false,
  };
  const wishes: [string, Partial<LaunchRequest>, Partial<TaskSpec>][] = [
    ["network_mode: must be empty", { networkMode: "bridge" }, {}],
    ["network: the tasks share", { network }, {}],
    ["spec.restart_policy", {}, { restartPolicy }],
    ["spec.hook", {}, { hook: LifecycleHook.LIFECYCLE_HOOK_PRESTART }],
    ["spec.health_checks", {}, { healthChecks: [{ ...emptyMessage("HealthCheck"), tcp: { portLabel: "x" } }] }],
  ];
  for (const [index, [text, more, spec]] of wishes.entries()) {
    play.launch(`t${index}`, false, more, spec);
    expect(play.task(`t${index}`).latest).toMatchObject({
      state: TaskState.TASK_ERROR,
      reason: StatusReason.REASON_TASK_INVALID,
      message: expect.stringContaining(text),
    });
  }
  expect(play.task("self").executor?.groups.size).toBe(0);
});

test("an executor that ends while a group of it is recorded takes it along, and nothing is given to anybody", () => {
  const play = new Play().begin();
  play.takeOrders();
  play.launch("a", false);
  play.input({ type: "exited", id: play.task("self").id, exit: { exitCode: 1, signal: "", at: 2_000 } });
  expect(play.task("a").latest).toMatchObject({ state: TASK_FAILED, reason: StatusReason.REASON_EXECUTOR_TERMINATED });
  play.settleDisk();
  expect(play.takeOrders()).toEqual([]);
  expect(play.ended).toEqual(["wrong-state"]);
});

test("a group whose executor could not be started has failed with it", () => {
  const play = new Play();
  play.launch("self", true);
  play.launch("a", false);
  play.settleDisk();
  play.input({ type: "start-failed", id: play.task("self").id, message: "ENOENT" });
  expect(play.task("a").latest).toMatchObject({
    state: TASK_FAILED,
    reason: StatusReason.REASON_EXECUTOR_TERMINATED,
    message: "executor x: run can't be started: ENOENT",
  });
  expect(play.task("a").group.released).toBe(true);
});

test("a task that is killed before its executor has attached is never given to it", () => {
  const play = new Play();
  play.launch("self", true);
  play.launch("a", false);
  play.settleDisk();
  const reason = StatusReason.STATUS_REASON_UNSPECIFIED;
  play.input({ type: "kill", frameworkId: "f", taskId: "a", graceMs: undefined, reason });
  expect(play.task("a").latest).toMatchObject({ state: TASK_KILLED, reason: StatusReason.REASON_KILLED_DURING_LAUNCH });
  play.input({ type: "started", id: play.task("self").id, started: facts });
  play.attach([]);
  expect(play.takeOrders().map(({ type }) => type)).toEqual(["attached"]);
});

test("an executor that is gone when the agent comes back leaves no task behind", () => {
  const play = new Play().begin();
  given(play, "a");
  play.say(update("a", TASK_RUNNING, 1));
  play.settleDisk();
  play.restart();
  play.input({ type: "supervisor-lost", id: play.task("self").id });
  expect(play.task("a").latest).toMatchObject({ state: TASK_FAILED, reason: StatusReason.REASON_EXECUTOR_TERMINATED });
});
