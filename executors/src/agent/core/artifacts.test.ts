import { seededRandom } from "@muster/foundation";
import { type RestartPolicy, StatusReason, TaskState } from "@muster/proto";
import { expect, test } from "vitest";
import { intentRecord } from "../checkpoint/writer.ts";
import { emptySpec, emptyTaskInfo } from "../empty.ts";
import { coreConfig } from "./core-config.test.support.ts";
import { createState } from "./create-state.ts";
import type { AgentEffect, AgentInput } from "./effects.ts";
import { type AgentState, plainNetwork, type Task } from "./model.ts";
import { stateRecord } from "./recover.ts";
import { step } from "./step.ts";

const ports = { first: 20_000, last: 20_019, reuseAfterMs: 0 };
const newState = (): AgentState => createState({ ...coreConfig }, ports, seededRandom("core"), 0);
const started = { pid: 7, startTicks: 1, shimPid: 6, shimStartTicks: 1, at: 1_000 };

function play(state = newState()) {
  const seen: AgentEffect[] = [];
  const now = { monotonicMs: 0, epochMs: 1_000 };
  const input = (one: AgentInput): void => {
    for (const effect of step(state, one, now)) {
      seen.push(effect);
      if ((effect.type === "persist-intent" || effect.type === "persist-state") && effect.purpose)
        input({ type: "durable", purpose: effect.purpose });
    }
  };
  const launch = (restartPolicy: RestartPolicy | null = null): Task => {
    const artifact = { destination: "", options: {}, headers: {}, mode: "", insecure: false, chown: false };
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference that the agent fills in
    const artifacts = [{ ...artifact, source: "https://e.com/${NOMAD_TASK_NAME}" }];
    const spec = { ...emptySpec(), command: "true", artifacts, restartPolicy };
    const tasks = [{ info: { ...emptyTaskInfo, taskId: "t", name: "server" }, spec, problem: "" }];
    const ids = { frameworkId: "f", frameworkName: "services", role: "web", launchId: "l", networkMode: "host" };
    input({ type: "launch", launch: { ...ids, network: plainNetwork, ports: [], tasks } });
    return [...state.tasks.values()][0] as Task;
  };
  const effects = (): string[] => seen.splice(0).flatMap(({ type }) => (/^(persist|send)/.test(type) ? [] : [type]));
  return { state, now, seen, input, launch, effects };
}

const policy: RestartPolicy = { attempts: 1, intervalMs: 60_000, delayMs: 100, mode: 1, afterSuccess: false };

test("a task starts once its artifacts are there, with every reference filled in", () => {
  const { launch, input, effects, seen } = play();
  const task = launch();
  expect(seen.find(({ type }) => type === "fetch-artifacts")).toMatchObject({
    wish: { id: task.id, artifacts: [{ source: "https://e.com/server" }], user: "" },
  });
  expect(effects()).toEqual(["fetch-artifacts"]);
  input({ type: "artifacts-progress", id: task.id, message: "fetching" });
  expect([task.latest?.state, task.latest?.message]).toEqual([TaskState.TASK_STARTING, "fetching"]);
  input({ type: "artifacts-ready", id: task.id, message: "here" });
  expect(effects()).toEqual(["spawn"]);
  // Told twice, it starts once.
  input({ type: "artifacts-ready", id: task.id, message: "here" });
  expect(effects()).toEqual([]);
});

test("what can't be had uses up restarts as an end does, and is fetched anew for the next", () => {
  const { launch, input, effects, now } = play();
  const task = launch(policy);
  input({ type: "artifacts-failed", id: task.id, message: "gone" });
  expect([task.phase, task.latest?.reason]).toEqual(["restarting", StatusReason.REASON_RESTARTING]);
  effects();
  now.monotonicMs = 100;
  input({ type: "wake" });
  expect(effects()).toContain("fetch-artifacts");
  input({ type: "artifacts-failed", id: task.id, message: "gone" });
  expect(task.latest).toMatchObject({
    state: TaskState.TASK_FAILED,
    reason: StatusReason.REASON_ARTIFACT_FAILED,
    message: "gone; its only restart within 60 s used up",
  });
});

test("what is there stays for the attempts that follow", () => {
  const { launch, input, effects, now } = play();
  const task = launch(policy);
  input({ type: "artifacts-ready", id: task.id, message: "" });
  input({ type: "started", id: task.id, started });
  input({ type: "exited", id: task.id, exit: { exitCode: 1, signal: "", at: 1_000 } });
  effects();
  now.monotonicMs = 100;
  input({ type: "wake" });
  expect(effects()).toEqual(["spawn"]);
});

test("a kill while it waits ends what fetches", () => {
  const { launch, input, effects, state } = play();
  const task = launch();
  effects();
  input({ type: "kill", frameworkId: "f", taskId: "t", graceMs: 0, reason: StatusReason.REASON_KILLED_BY_FRAMEWORK });
  expect(effects()).toEqual(["release-artifacts"]);
  expect(task.latest?.state).toBe(TaskState.TASK_KILLED);
  input({ type: "artifacts-ready", id: task.id, message: "" });
  expect(effects()).toEqual([]);
  expect(state.tasks.get(task.id)?.phase).toBe("ended");
});

test("an agent that is back fetches what was not there, and nothing for a task that had it", () => {
  const before = play();
  const task = before.launch(policy);
  const found = () => ({
    key: task.group.key,
    intent: intentRecord(before.state, task.group),
    damaged: false,
    states: new Map([[0, stateRecord(task)]]),
  });
  const again = play();
  again.input({ type: "recovered", groups: [found()] });
  again.input({ type: "absent", id: task.id });
  expect(again.effects()).toContain("fetch-artifacts");
  before.input({ type: "artifacts-ready", id: task.id, message: "" });
  before.input({ type: "started", id: task.id, started });
  const last = play();
  last.input({ type: "recovered", groups: [found()] });
  last.input({ type: "started", id: task.id, started });
  last.input({ type: "exited", id: task.id, exit: { exitCode: 1, signal: "", at: 1_000 } });
  last.now.monotonicMs = 100;
  last.input({ type: "wake" });
  expect(last.effects().filter((type) => type === "fetch-artifacts" || type === "spawn")).toEqual(["spawn"]);
});
