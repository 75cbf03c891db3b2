import { CheckAction, Health, StatusReason, TaskState } from "@muster/proto";
import { expect, test } from "vitest";
import { Hand } from "../virtual/hand.ts";
import { Lab } from "../virtual/lab.ts";

// Real agents, with simulated commands, disks and clocks: what only agent, master and framework together can keep.
const { TASK_FAILED, TASK_FINISHED, TASK_KILLED, TASK_KILLING, TASK_RUNNING, TASK_STARTING } = TaskState;
const { HEALTH_HEALTHY, HEALTH_UNHEALTHY } = Health;

function begin(seed = 1, agents = 1): { lab: Lab; hand: Hand } {
  const lab = new Lab({ seed, agents, frameworks: [] });
  const hand = new Hand(lab);
  lab.start();
  return { lab, hand };
}

function isRunning(hand: Hand, taskId: string): boolean {
  return hand.last(taskId)?.state === TASK_RUNNING;
}

test("case 35: when one of a running group fails the others are killed", () => {
  const { lab, hand } = begin();
  hand.launch([{ taskId: "bad", does: "for 2000 exit 3" }, { taskId: "one" }, { taskId: "two" }]);
  lab.until(() => lab.alive().length === 3);
  lab.until(() => lab.alive().length === 0);
  lab.run(1_000);
  expect(hand.last("bad")).toMatchObject({ state: TASK_FAILED, exitCode: 3 });
  for (const taskId of ["one", "two"])
    expect(hand.last(taskId)).toMatchObject({ state: TASK_KILLED, reason: StatusReason.REASON_TASK_GROUP_ENDED });
});

test("case 37: a task that ignores TERM is KILLING at once and KILLED when its grace is over; a second kill shortens it", () => {
  for (const [taskId, again] of [
    ["patient", false],
    ["hurried", true],
  ] as const) {
    const { lab, hand } = begin();
    hand.launch([{ taskId, does: "serve deaf", spec: { killPolicy: { signal: "SIGTERM", graceMs: 60_000 } } }]);
    lab.until(() => isRunning(hand, taskId));
    const sinceMs = lab.nowMs;
    hand.kill(taskId, 5_000);
    lab.until(() => hand.last(taskId)?.state === TASK_KILLING, 100);
    lab.run(1_000);
    if (again) hand.kill(taskId, 1_000);
    lab.until(() => hand.last(taskId)?.state === TASK_KILLED);
    const tookMs = lab.nowMs - sinceMs;
    expect(Math.abs(tookMs - (again ? 2_000 : 5_000)), taskId).toBeLessThan(200);
    expect(hand.last(taskId)?.signal).toBe("SIGKILL");
  }
});

test("case 44: an executor that does not attach within a minute fails with its tasks, and their resources return", () => {
  const { lab, hand } = begin();
  const allocated = () => lab.cluster.master.view()?.agents[0]?.allocated?.memoryMiB;
  hand.launch([{ taskId: "given" }], [], { executorId: "x", task: { taskId: "self", does: "serve" } });
  lab.until(() => isRunning(hand, "self"));
  const sinceMs = lab.nowMs;
  expect(allocated()).toBe(64);
  lab.run(59_000);
  expect(hand.last("given")?.state).toBe(TASK_STARTING);
  lab.until(() => hand.last("given")?.state === TASK_FAILED);
  expect(Math.abs(lab.nowMs - sinceMs - 60_000)).toBeLessThan(500);
  for (const taskId of ["given", "self"])
    expect(hand.last(taskId)).toMatchObject({
      state: TASK_FAILED,
      reason: StatusReason.REASON_EXECUTOR_TIMEOUT,
      message: expect.stringContaining("it did not attach within 60000 ms of its start"),
    });
  lab.run(1_000);
  expect(lab.alive()).toEqual([]);
  expect(allocated()).toBe(0);
});

test("a task given to an executor lives over the agent's deaths, and its end is told once", () => {
  const { lab, hand } = begin();
  const executor = { executorId: "x", task: { taskId: "self", does: "attach" } };
  hand.launch([{ taskId: "long" }], [], executor);
  lab.until(() => isRunning(hand, "long"));
  hand.launch([{ taskId: "short", does: "for 3000 exit 4" }], [], executor);
  lab.until(() => isRunning(hand, "short"));
  const [agent] = lab.cluster.agents;
  agent?.program.crash("killed", 4_000);
  lab.until(() => hand.last("short")?.state === TASK_FAILED);
  expect(hand.last("short")).toMatchObject({ exitCode: 4, source: 3 });
  lab.run(60_000);
  expect(hand.of("short").map(({ state }) => state)).toEqual([TASK_STARTING, TASK_RUNNING, TASK_FAILED]);
  expect(isRunning(hand, "long")).toBe(true);
  expect(lab.alive().map(({ taskId }) => taskId)).toEqual(["self"]);
  agent?.processes.killOne();
  lab.until(() => hand.last("long")?.state === TASK_FAILED);
  expect(hand.last("long")?.reason).toBe(StatusReason.REASON_EXECUTOR_TERMINATED);
});

const check = (action: CheckAction, graceMs: number) => ({
  name: "port",
  intervalMs: 2_000,
  timeoutMs: 1_000,
  failuresMax: 3,
  graceMs,
  action,
  tcp: { portLabel: "http" },
});

test("case 41: a check that fails three times in a row, its grace not counted, makes a task unhealthy and then KILLED", () => {
  const { lab, hand } = begin();
  const spec = { healthChecks: [check(CheckAction.CHECK_ACTION_KILL, 10_000)] };
  hand.launch([{ taskId: "mute", spec }], ["http"]);
  lab.until(() => isRunning(hand, "mute"));
  const sinceMs = lab.nowMs;
  lab.run(10_000);
  expect(hand.of("mute").map(({ health }) => health)).not.toContain(HEALTH_UNHEALTHY);
  lab.until(() => hand.last("mute")?.state === TASK_KILLED);
  // Three failures after the grace: the first within an interval, the others two intervals later.
  expect(lab.nowMs - sinceMs).toBeGreaterThan(14_000);
  expect(lab.nowMs - sinceMs).toBeLessThan(17_500);
  expect(
    hand
      .of("mute")
      .map(({ state, health }) => [state, health])
      .slice(-3),
  ).toEqual([
    [TASK_RUNNING, HEALTH_UNHEALTHY],
    [TASK_KILLING, HEALTH_UNHEALTHY],
    [TASK_KILLED, HEALTH_UNHEALTHY],
  ]);
  expect(hand.last("mute")?.reason).toBe(StatusReason.REASON_UNHEALTHY);
});

test("case 42: a check that only tells, tells each change, and kills nothing", () => {
  const { lab, hand } = begin();
  const spec = { healthChecks: [check(CheckAction.CHECK_ACTION_REPORT, 0)] };
  hand.launch([{ taskId: "moody", does: "serve listen", spec }], ["http"]);
  lab.until(() => hand.last("moody")?.health === HEALTH_HEALTHY);
  for (let round = 0; round < 3; round++) {
    lab.stopListening();
    lab.run(20_000);
    lab.stopListening(true);
    lab.run(20_000);
  }
  const told = hand.of("moody").filter(({ state, health }) => state === TASK_RUNNING && health > 0);
  const down = [HEALTH_UNHEALTHY, HEALTH_HEALTHY];
  expect(told.map(({ health }) => health)).toEqual([HEALTH_HEALTHY, ...down, ...down, ...down]);
  expect(lab.alive()).toHaveLength(1);
});

test("case 45: a status that is not acknowledged is sent again after 1, 2, 4 ... 60, 60 s, with the same id", () => {
  const { lab, hand } = begin();
  hand.withholds = ({ state }) => state === TASK_RUNNING;
  hand.launch([{ taskId: "t" }]);
  lab.until(() => isRunning(hand, "t"));
  lab.run(300_000);
  const sent = lab.overheard.flatMap(({ atMs, from, message }) =>
    from !== "master"
      ? []
      : (message.updates ?? [])
          .filter(({ taskId, state, updateId }) => taskId === "t" && state === TASK_RUNNING && updateId !== "")
          .map(({ updateId }) => ({ atMs, updateId })),
  );
  const gaps = sent.slice(1).map(({ atMs }, index) => Math.round((atMs - (sent[index]?.atMs ?? 0)) / 1_000));
  expect(gaps.slice(0, 9)).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
  expect(new Set(sent.map(({ updateId }) => updateId)).size).toBe(1);
});

test("case 46: what follows an unacknowledged status is held back, and comes at once with the acknowledgement", () => {
  const { lab, hand } = begin();
  hand.withholds = ({ state }) => state === TASK_RUNNING;
  hand.launch([{ taskId: "t", does: "for 5000" }]);
  lab.until(() => isRunning(hand, "t"));
  const running = hand.last("t");
  lab.run(60_000);
  expect(lab.alive()).toEqual([]);
  expect(hand.of("t").map(({ state }) => state)).toEqual([TASK_STARTING, TASK_RUNNING]);
  if (running) hand.acknowledge(running);
  lab.until(() => hand.last("t")?.state === TASK_FINISHED, 50);
});

test("case 56: tasks outlive their agent's kill -9; it then tells what ended with its exit code, and again what nobody acknowledged", () => {
  const { lab, hand } = begin();
  hand.withholds = ({ taskId, state }) => taskId === "quick" && state === TASK_RUNNING;
  hand.launch([{ taskId: "stays" }]);
  hand.launch([{ taskId: "ends", does: "for 5000 exit 7" }]);
  hand.launch([{ taskId: "quick", does: "for 1000 exit 2" }]);
  lab.until(() => isRunning(hand, "quick"));
  const unacknowledged = hand.last("quick");
  lab.run(2_000);
  const before = lab.alive().find(({ taskId }) => taskId === "stays");
  const sinceMs = lab.nowMs;
  lab.cluster.agents[0]?.program.crash("killed", 10_000);
  lab.run(9_000);
  expect(lab.alive().map(({ taskId }) => taskId)).toEqual(["stays"]);
  lab.run(30_000);
  expect(lab.alive().map(({ spec }) => spec.id)).toEqual([before?.spec.id]);
  expect(hand.last("ends")).toMatchObject({ state: TASK_FAILED, exitCode: 7 });
  const again = lab.overheard.filter(
    ({ atMs, from, message }) =>
      from === "master" &&
      atMs > sinceMs + 10_000 &&
      message.updates?.some(({ updateId }) => updateId !== "" && updateId === unacknowledged?.updateId),
  );
  expect(again.length).toBeGreaterThan(0);
  if (unacknowledged) hand.acknowledge(unacknowledged);
  lab.run(1_000);
  expect(hand.last("quick")).toMatchObject({ state: TASK_FAILED, exitCode: 2 });
});

test("case 72: wherever the leader is killed in a launch, each task runs at most once and its framework learns its fate", () => {
  let runCount = 0;
  for (let dieAfterMs = 0; dieAfterMs < 25; dieAfterMs += 0.5) {
    const { lab, hand } = begin(dieAfterMs * 2, 2);
    const starts = new Map<string, number>();
    lab.inspector.onStart = ({ spec }) => {
      const taskId = spec.environment["MUSTER_TASK_ID"] ?? "";
      starts.set(taskId, (starts.get(taskId) ?? 0) + 1);
    };
    hand.launch([{ taskId: "one" }, { taskId: "two", does: "for 20" }]);
    lab.run(dieAfterMs);
    lab.cluster.master.program.crash();
    lab.run(180_000);
    const alive = new Set(lab.alive().map(({ taskId }) => taskId));
    for (const taskId of ["one", "two"]) {
      const where = `${taskId}, dies after ${dieAfterMs} ms`;
      expect(starts.get(taskId) ?? 0, where).toBeLessThanOrEqual(1);
      const state = hand.last(taskId)?.state ?? 0;
      if (alive.has(taskId)) expect(state, where).toBe(TASK_RUNNING);
      else expect(state, where).toBeGreaterThanOrEqual(TASK_FINISHED);
      if (alive.has(taskId)) runCount++;
    }
  }
  expect(runCount).toBeGreaterThan(0);
});
