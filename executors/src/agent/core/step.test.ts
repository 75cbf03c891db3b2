import { isTerminal, seededRandom } from "@muster/foundation";
import { StatusReason, TaskState, type TaskStatus } from "@muster/proto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { emptySpec, emptyTaskInfo } from "../empty.ts";
import { coreConfig } from "./core-config.test.support.ts";
import { createState } from "./create-state.ts";
import { nextWakeMs } from "./deadlines.ts";
import type { AgentEffect, AgentInput, Purpose } from "./effects.ts";
import { type AgentState, type CoreConfig, type FoundGroup, type LaunchRequest, plainNetwork } from "./model.ts";
import { stateRecord } from "./recover.ts";
import { presentStatus } from "./status.ts";
import { step } from "./step.ts";
import { tombstoneMs } from "./tombstones.ts";

const config: CoreConfig = {
  ...coreConfig,
  taskEnvironment: { PATH: "/bin" },
  networkModes: new Set(["host", "none"]),
  tasksMax: 100,
  probesMax: 2,
  diskFreeBytesMin: 64 * 2 ** 20,
  diskFreeFractionMin: 0.05,
};

function aState(): AgentState {
  return createState(config, { first: 20_000, last: 20_019, reuseAfterMs: 60_000 }, seededRandom("core"), 0);
}

function aLaunch(taskId: string, fields: Partial<LaunchRequest> = {}): LaunchRequest {
  const port = { label: "http", number: 0, to: 0, protocol: "", hostNetwork: "" };
  return {
    frameworkId: "f",
    frameworkName: "services",
    role: "web",
    launchId: `launch-${taskId}`,
    networkMode: "host",
    network: plainNetwork,
    ports: [port],
    tasks: [{ info: { ...emptyTaskInfo, taskId }, spec: { ...emptySpec(), command: "serve" }, problem: "" }],
    ...fields,
  };
}

/** Plays the agent's surroundings: answers effects in the order and at the moment that a test chooses. */
class Play {
  state = aState();
  nowMs = 1_000;
  readonly waiting: AgentEffect[] = [];
  readonly sent: TaskStatus[] = [];
  readonly spawned: string[] = [];
  readonly running = new Set<string>();
  readonly durableIntents = new Set<string>();
  /** Keys of the groups that have a network of their own now. */
  readonly nets = new Set<string>();
  /** Whether the next network can be made. */
  canBuild = true;

  input(input: AgentInput): void {
    const now = { monotonicMs: this.nowMs, epochMs: 1_700_000_000_000 + this.nowMs };
    for (const effect of step(this.state, input, now)) {
      if (effect.type === "send") this.sent.push(effect.status);
      else this.waiting.push(effect);
    }
  }

  /** Answers the waiting effect of that index. */
  answer(index: number): void {
    const [effect] = this.waiting.splice(index % Math.max(1, this.waiting.length), 1);
    if (!effect) return;
    if (effect.type === "check-ports") this.input({ type: "ports-checked", key: effect.key, taken: [] });
    else if (effect.type === "find-holders") this.input({ type: "holders-found", id: effect.id, found: [] });
    else if (effect.type === "build-net") this.#build(effect.spec.key);
    else if (effect.type === "remove-net") {
      const { key } = effect.spec;
      expect([...this.running].filter((id) => id.startsWith(`${key}.`))).toEqual([]);
      this.nets.delete(key);
      this.input({ type: "net-gone", key });
    } else if (effect.type === "keep-nets") {
      for (const key of [...this.nets]) if (!effect.specs.some((spec) => spec.key === key)) this.nets.delete(key);
    } else if (effect.type === "persist-intent" || effect.type === "persist-state") this.settle(effect.purpose);
    else if (effect.type === "spawn") {
      this.spawned.push(effect.spec.id);
      const key = effect.spec.id.slice(0, effect.spec.id.lastIndexOf("."));
      if (effect.spec.network) expect(this.nets.has(key)).toBe(true);
      this.running.add(effect.spec.id);
      const started = { pid: 7, startTicks: 1, shimPid: 6, shimStartTicks: 1, at: this.nowMs };
      this.input({ type: "started", id: effect.spec.id, started });
    } else if (effect.type === "kill" || effect.type === "signal") this.exit(effect.id, undefined, "SIGKILL");
  }

  #build(key: string): void {
    if (this.canBuild || this.nets.has(key)) {
      this.nets.add(key);
      this.input({ type: "net-ready", key, ready: { namespace: `/run/netns/${key}`, ips: [] } });
    } else this.input({ type: "net-failed", key, message: "no room" });
  }

  settle(purpose: Purpose | undefined): void {
    if (!purpose) return;
    if (purpose.type === "launch") this.durableIntents.add(purpose.key);
    this.input({ type: "durable", purpose });
  }

  exit(id: string, exitCode: number | undefined, signal = ""): void {
    if (this.running.delete(id)) this.input({ type: "exited", id, exit: { exitCode, signal, at: this.nowMs } });
  }

  answerAll(): void {
    while (this.waiting.length > 0) this.answer(0);
  }
}

test("nothing is spawned and nothing is told before the intent is durable", () => {
  const play = new Play();
  play.input({ type: "registered" });
  play.input({ type: "launch", launch: aLaunch("web") });
  play.answer(0);
  expect(play.waiting.map(({ type }) => type)).toEqual(["persist-intent", "persist-state"]);
  expect(play.sent).toEqual([]);
  play.answer(0);
  expect(play.waiting.map(({ type }) => type)).toContain("spawn");
});

test("a task starts when its network is there, and the network goes when its last task has ended", () => {
  const play = new Play();
  play.input({ type: "registered" });
  const [task] = aLaunch("a").tasks;
  if (!task) throw new Error("no task");
  const tasks = ["a", "b"].map((taskId) => ({ ...task, info: { ...task.info, taskId } }));
  play.input({ type: "launch", launch: aLaunch("a", { networkMode: "none", ports: [], tasks }) });
  while (play.waiting.some(({ type }) => type.startsWith("persist"))) play.answer(0);
  expect(play.waiting.map(({ type }) => type)).toEqual(["build-net"]);
  play.answerAll();
  expect([play.spawned.length, play.nets.size]).toEqual([2, 1]);
  play.exit(play.spawned[0] ?? "", 0);
  play.answerAll();
  expect(play.nets.size).toBe(1);
  play.exit(play.spawned[1] ?? "", 0);
  play.answerAll();
  expect(play.nets.size).toBe(0);
});

test("case 16: a network that can't be made fails the launch with the reason, and holds nothing", () => {
  const play = new Play();
  play.canBuild = false;
  play.input({ type: "registered" });
  play.input({ type: "launch", launch: aLaunch("web", { networkMode: "none", ports: [] }) });
  play.answerAll();
  expect(play.state.named.get("f/web")?.[0]?.latest).toMatchObject({
    state: TaskState.TASK_FAILED,
    reason: StatusReason.REASON_LAUNCH_FAILED,
    message: "network none: no room",
  });
  expect([play.spawned, play.nets.size, play.state.addresses.held.size]).toEqual([[], 0, 0]);
});

test("ports in a mode that has none are told as a mistake of the job", () => {
  const play = new Play();
  play.input({ type: "registered" });
  play.input({ type: "launch", launch: aLaunch("web", { networkMode: "none" }) });
  expect(play.sent[0]).toMatchObject({ state: TaskState.TASK_ERROR, reason: StatusReason.REASON_TASK_INVALID });
});

test("a master is told nothing at registration that a power cut could take back", () => {
  const play = new Play();
  const now = { monotonicMs: 1, epochMs: 1 };
  const present = () =>
    [...play.state.tasks.values()].map((task) => presentStatus({ state: play.state, now, effects: [] }, task));
  play.input({ type: "launch", launch: aLaunch("web") });
  while (play.waiting.some(({ type }) => type !== "spawn")) play.answer(0);
  play.answer(0);
  expect(play.state.named.get("f/web")?.[0]?.latest).toMatchObject({ state: TaskState.TASK_RUNNING, sequence: 2 });
  expect(present()).toMatchObject([{ state: TaskState.TASK_STARTING, sequence: 1 }]);
  play.answerAll();
  expect(present()).toMatchObject([{ state: TaskState.TASK_RUNNING, sequence: 2 }]);
});

test("a launch that can't be recorded is dropped for the disk, and its ports are free again", () => {
  const play = new Play();
  play.input({ type: "registered" });
  play.input({ type: "launch", launch: aLaunch("web") });
  play.answer(0);
  for (const effect of play.waiting.splice(0)) {
    const failure = { kind: "full", message: "no space" } as const;
    if ("purpose" in effect && effect.purpose) play.input({ type: "not-durable", purpose: effect.purpose, failure });
  }
  expect(play.sent.at(-1)).toMatchObject({ state: TaskState.TASK_DROPPED, reason: StatusReason.REASON_DISK });
  expect(play.state.ports.held.size).toBe(0);
  expect(play.spawned).toEqual([]);
});

test("a nearly full disk refuses launches, and how tasks end is still told", () => {
  const play = new Play();
  play.input({ type: "registered" });
  play.input({ type: "launch", launch: aLaunch("old") });
  play.answerAll();
  play.input({ type: "space", space: { totalBytes: 2 ** 30, freeBytes: 2 ** 20 } });
  play.input({ type: "launch", launch: aLaunch("new") });
  expect(play.sent.at(-1)).toMatchObject({ taskId: "new", reason: StatusReason.REASON_DISK });
  play.exit(play.spawned[0] as string, 0);
  play.answerAll();
  expect(play.state.named.get("f/old")?.[0]?.latest?.state).toBe(TaskState.TASK_FINISHED);
});

test("statuses go out head first, each after the one before was acknowledged, and again with growing delay", () => {
  const play = new Play();
  play.input({ type: "registered" });
  play.input({ type: "launch", launch: aLaunch("web") });
  play.answerAll();
  expect(play.sent.map(({ sequence }) => sequence)).toEqual([1]);
  const delays: number[] = [];
  for (let i = 0; i < 8; i++) {
    const at = nextWakeMs(play.state, { monotonicMs: play.nowMs, epochMs: 0 }) as number;
    delays.push(at - play.nowMs);
    play.nowMs = at;
    play.input({ type: "wake" });
  }
  expect(delays).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  const updateId = play.sent[0]?.updateId ?? "";
  play.input({ type: "acknowledged", frameworkId: "f", taskId: "web", updateId });
  expect(play.sent.at(-1)).toMatchObject({ sequence: 2, state: TaskState.TASK_RUNNING });
});

test("what has ended and was acknowledged is none of the open groups, and forgotten after an hour", () => {
  const play = new Play();
  play.input({ type: "registered" });
  for (const taskId of ["short", "long"]) {
    play.input({ type: "launch", launch: aLaunch(taskId) });
    play.answerAll();
  }
  play.exit(play.spawned[0] as string, 0);
  play.answerAll();
  for (let sequence = 1; sequence <= 3; sequence++) {
    const told = play.sent.find((status) => status.taskId === "short" && status.sequence === sequence);
    play.input({ type: "acknowledged", frameworkId: "f", taskId: "short", updateId: told?.updateId ?? "" });
    play.answerAll();
  }
  play.input({ type: "wake" });
  expect([...play.state.openGroups].map(({ launchId }) => launchId)).toEqual(["launch-long"]);
  expect(play.state.groups.size).toBe(2);
  expect(play.state.forgetFirstAt).toBeLessThan(Number.POSITIVE_INFINITY);
  play.nowMs += tombstoneMs;
  play.input({ type: "wake" });
  expect([...play.state.groups.values()].map(({ launchId }) => launchId)).toEqual(["launch-long"]);
  expect(play.state.forgetFirstAt).toBe(Number.POSITIVE_INFINITY);
});

test("when one task of a group fails, the others are ended with it; when one finishes, they go on", () => {
  const play = new Play();
  play.input({ type: "registered" });
  const [task] = aLaunch("a").tasks;
  if (!task) throw new Error("no task");
  const tasks = ["a", "b", "c"].map((taskId) => ({ ...task, info: { ...task.info, taskId } }));
  play.input({ type: "launch", launch: aLaunch("a", { tasks }) });
  play.answerAll();
  play.exit(play.spawned[0] as string, 0);
  expect([...play.state.tasks.values()].map(({ kill }) => kill === undefined)).toEqual([true, true, true]);
  play.exit(play.spawned[1] as string, 1);
  play.answerAll();
  expect(play.state.named.get("f/c")?.[0]?.latest).toMatchObject({
    state: TaskState.TASK_KILLED,
    reason: StatusReason.REASON_TASK_GROUP_ENDED,
  });
  expect(play.state.ports.held.size).toBe(0);
});

test("when one description of a group is wrong, each task is told its own reason", () => {
  const play = new Play();
  play.input({ type: "registered" });
  const [task] = aLaunch("good").tasks;
  if (!task) throw new Error("no task");
  const bad = { ...task, info: { ...task.info, taskId: "bad" }, problem: "spec: no TaskSpec" };
  play.input({ type: "launch", launch: aLaunch("good", { tasks: [task, bad] }) });
  expect(play.sent.map(({ taskId, state, reason }) => [taskId, state, reason])).toEqual([
    ["good", TaskState.TASK_ERROR, StatusReason.REASON_TASK_GROUP_INVALID],
    ["bad", TaskState.TASK_ERROR, StatusReason.REASON_TASK_INVALID],
  ]);
});

test("an ended launch is remembered for an hour after its last acknowledgement, then forgotten", () => {
  const play = new Play();
  play.input({ type: "registered" });
  play.input({ type: "launch", launch: aLaunch("web") });
  play.answerAll();
  play.exit(play.spawned[0] as string, 0);
  play.answerAll();
  for (let i = 0; i < 3; i++) {
    const updateId = play.sent.at(-1)?.updateId ?? "";
    play.input({ type: "acknowledged", frameworkId: "f", taskId: "web", updateId });
  }
  play.nowMs += 59 * 60 * 1_000;
  play.input({ type: "wake" });
  play.input({ type: "launch", launch: aLaunch("web") });
  play.answerAll();
  expect(play.spawned).toHaveLength(1);
  play.nowMs += 61 * 1_000;
  play.input({ type: "wake" });
  expect(play.state.tasks.size).toBe(0);
});

const moves = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant("launch" as const),
        task: fc.nat(3),
        launch: fc.nat(2),
        fixed: fc.boolean(),
        hasNet: fc.boolean(),
        canBuild: fc.boolean(),
      }),
    },
    { weight: 10, arbitrary: fc.record({ do: fc.constant("answer" as const), index: fc.nat(5) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("kill" as const), task: fc.nat(3), graceMs: fc.nat(100) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("exit" as const), code: fc.nat(1) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("acknowledge" as const), index: fc.nat(20) }) },
    { weight: 1, arbitrary: fc.constant({ do: "disconnect" as const }) },
    { weight: 1, arbitrary: fc.constant({ do: "register" as const }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(5_000) }) },
    { weight: 1, arbitrary: fc.constant({ do: "crash" as const }) },
  ),
  { maxLength: 120 },
);

/** What the disk holds if everything that was asked for was written: the next life begins from it. */
function foundGroups(state: AgentState, durable: ReadonlySet<string>): FoundGroup[] {
  return [...state.groups.values()]
    .filter((group) => durable.has(group.key))
    .map((group) => ({
      key: group.key,
      damaged: false,
      intent: {
        ...group,
        agentId: "agent-1",
        epoch: 1,
        bootId: "boot-1",
        tasks: group.tasks.map(({ info, spec }) => ({ info, spec })),
      },
      states: new Map(group.tasks.map((task, index) => [index, JSON.parse(JSON.stringify(stateRecord(task)))])),
    }));
}

test("case 18: whatever happens in whatever order, crashes included, the agent keeps its promises", () => {
  fc.assert(
    fc.property(moves, (list) => {
      const play = new Play();
      const terminal = new Map<string, string>();
      let checked = 0;
      for (const move of list) {
        if (move.do === "launch") {
          const port = { label: "http", number: move.fixed ? 80 : 0, to: 0, protocol: "tcp", hostNetwork: "" };
          play.canBuild = move.canBuild;
          const launch = aLaunch(`t${move.task}`, {
            launchId: `l${move.task}-${move.launch}`,
            ...(move.hasNet ? { networkMode: "none", ports: [] } : { ports: [port] }),
          });
          play.input({ type: "launch", launch });
        } else if (move.do === "answer") play.answer(move.index);
        else if (move.do === "kill")
          play.input({ type: "kill", frameworkId: "f", taskId: `t${move.task}`, graceMs: move.graceMs, reason: 0 });
        else if (move.do === "exit") play.exit([...play.running][0] ?? "", move.code);
        else if (move.do === "acknowledge") {
          const status = play.sent[move.index % Math.max(1, play.sent.length)];
          if (status)
            play.input({ type: "acknowledged", frameworkId: "f", taskId: status.taskId, updateId: status.updateId });
        } else if (move.do === "disconnect") play.input({ type: "disconnected" });
        else if (move.do === "register") play.input({ type: "registered" });
        else if (move.do === "wait") {
          play.nowMs += move.ms;
          play.input({ type: "wake" });
        } else crash(play);
        // One launch starts at most one process.
        expect(new Set(play.spawned).size).toBe(play.spawned.length);
        // Nothing runs without a record.
        for (const id of play.running) expect(play.durableIntents.has(id.slice(0, id.lastIndexOf(".")))).toBe(true);
        // The first terminal state is the only one.
        for (const status of play.sent.slice(checked)) {
          if (!isTerminal(status.state)) continue;
          const launch = `${status.taskId}/${status.launchId}`;
          expect(terminal.get(launch) ?? status.updateId).toBe(status.updateId);
          terminal.set(launch, status.updateId);
        }
        checked = play.sent.length;
        // A port is held as long as something of its group lives, and no longer.
        const held = [...play.state.groups.values()]
          .filter((group) => !group.released)
          .flatMap((group) => group.assigned);
        expect(play.state.ports.held.size).toBe(new Set(held.map(({ number }) => number)).size);
        // At most one task of a name lives.
        for (const named of play.state.named.values())
          expect(named.filter((task) => task.phase !== "ended").length).toBeLessThanOrEqual(1);
      }
    }),
    { numRuns: 500 },
  );
});

/** A new life from what is on the disk: processes go on, everything else is forgotten. */
function crash(play: Play): void {
  const groups = foundGroups(play.state, play.durableIntents);
  play.waiting.length = 0;
  play.state = aState();
  play.input({ type: "recovered", groups });
  // Networks are made sure of first; what they held is looked for afterwards.
  const adopts: AgentEffect[] = [];
  while (play.waiting.length > 0)
    if (play.waiting[0]?.type === "adopt") adopts.push(...play.waiting.splice(0, 1));
    else play.answer(0);
  for (const effect of adopts) {
    if (effect.type !== "adopt") play.waiting.push(effect);
    else if (play.running.has(effect.id)) {
      const started = { pid: 7, startTicks: 1, shimPid: 6, shimStartTicks: 1, at: play.nowMs };
      play.input({ type: "started", id: effect.id, started });
    } else play.input({ type: "absent", id: effect.id });
  }
}
