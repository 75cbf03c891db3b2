import { seededRandom } from "@muster/foundation";
import { StatusReason, TaskState } from "@muster/proto";
import { expect, test } from "vitest";
import { emptySpec, emptyTaskInfo } from "../empty.ts";
import { coreConfig } from "./core-config.test.support.ts";
import { createState } from "./create-state.ts";
import type { AgentEffect, AgentInput } from "./effects.ts";
import { type CoreConfig, type FoundGroup, plainNetwork } from "./model.ts";
import { stateRecord } from "./recover.ts";
import { step } from "./step.ts";

const config: CoreConfig = {
  ...coreConfig,
  taskEnvironment: { PATH: "/agent/bin" },
  drivers: new Set(["process", "oci"]),
  networkModes: new Set(["host", "none"]),
  mayChangeUser: true,
  tasksMax: 100,
  probesMax: 2,
  portWatchMs: 2_000,
};

const newState = () => createState(config, { first: 20_000, last: 20_019, reuseAfterMs: 0 }, seededRandom("core"), 0);
const ready = {
  digest: "sha256:1",
  layers: ["/top", "/low"],
  config: {
    entrypoint: ["run"],
    command: ["it"],
    environment: { PATH: "/bin", A: "b" },
    user: "web",
    workFolder: "/app",
  },
};

/** An agent's core, whose records are durable at once. */
function play(state = newState()) {
  const effects: AgentEffect[] = [];
  const input = (one: AgentInput): void => {
    for (const effect of step(state, one, { monotonicMs: 0, epochMs: 1_000 })) {
      effects.push(effect);
      if ((effect.type === "persist-intent" || effect.type === "persist-state") && effect.purpose)
        input({ type: "durable", purpose: effect.purpose });
    }
  };
  const launch = (networkMode: string, ...images: string[]): string[] => {
    const tasks = images.map((image) => ({
      info: { ...emptyTaskInfo, taskId: image },
      spec: { ...emptySpec(), driver: "oci", driverConfigJson: JSON.stringify({ image }) },
      problem: "",
    }));
    const group = { frameworkId: "f", frameworkName: "services", role: "web", launchId: "l", networkMode };
    input({ type: "launch", launch: { ...group, network: plainNetwork, ports: [], tasks } });
    return [...state.tasks.keys()];
  };
  const types = (): string[] =>
    effects.splice(0).flatMap(({ type }) => (type === "persist-intent" || type === "persist-state" ? [] : [type]));
  return { state, effects, input, launch, types };
}

test("a group waits for all of its images, and has its network only then", () => {
  const { launch, input, types, state, effects } = play();
  const [one = "", two = ""] = launch("none", "a", "b");
  expect(types()).toEqual(["prepare-image", "prepare-image"]);
  input({ type: "image-ready", id: one, ready });
  expect(types()).toEqual([]);
  input({ type: "image-ready", id: two, ready });
  expect(types()).toEqual(["build-net"]);
  const key = [...state.groups.keys()][0] ?? "";
  input({ type: "net-ready", key, ready: { namespace: "/run/netns/x", ips: [] } });
  const [first] = effects.filter((effect) => effect.type === "spawn");
  expect(first?.spec).toMatchObject({
    command: "run",
    arguments: ["it"],
    user: "web",
    environment: { PATH: "/bin", A: "b", MUSTER_TASK_ID: "a" },
    container: { layers: ["/top", "/low"], workFolder: "/app", rootfs: "" },
  });
  expect(types()).toEqual(["spawn", "spawn"]);
});

test("while it waits for what takes long, a task tells so; killed then, it never starts and gives its image up", () => {
  const { launch, input, types, state } = play();
  const [id = ""] = launch("host", "a");
  input({ type: "image-progress", id, message: "pulling image a" });
  expect(state.tasks.get(id)?.latest).toMatchObject({ state: TaskState.TASK_STARTING, message: "pulling image a" });
  input({ type: "kill", frameworkId: "f", taskId: "a", graceMs: 0, reason: 0 });
  expect(state.tasks.get(id)?.latest?.reason).toBe(StatusReason.REASON_KILLED_DURING_LAUNCH);
  input({ type: "image-ready", id, ready });
  input({ type: "image-progress", id, message: "late" });
  expect(types()).toEqual(["prepare-image", "release-image"]);
});

test("an image that can't be had fails its task, and ends the group before anything of it starts", () => {
  const { launch, input, types, state } = play();
  const [one = "", two = ""] = launch("none", "a", "b");
  input({ type: "image-ready", id: one, ready });
  input({ type: "image-failed", id: two, message: "it was not found in the registry" });
  expect(state.tasks.get(two)?.latest).toMatchObject({
    state: TaskState.TASK_FAILED,
    reason: StatusReason.REASON_LAUNCH_FAILED,
    message: "image b: it was not found in the registry",
  });
  expect(state.tasks.get(one)?.latest?.state).toBe(TaskState.TASK_KILLED);
  expect(types()).toEqual(["prepare-image", "prepare-image", "release-image", "release-image"]);
});

test("after a restart images of living tasks are kept; one that had not started prepares its again, one that runs does not", () => {
  const before = play();
  const [id = ""] = before.launch("host", "a");
  const task = before.state.tasks.get(id);
  if (!task) throw new Error("no task");
  const intent = {
    ...{ agentId: "agent-1", epoch: 1, bootId: "boot-1", launchId: "l", frameworkId: "f", frameworkName: "", role: "" },
    ...{ networkMode: "host", ports: [], assigned: [], tasks: [{ info: task.info, spec: task.spec }] },
  };
  const found: FoundGroup = { key: task.group.key, intent, damaged: false, states: new Map([[0, stateRecord(task)]]) };
  const idle = play();
  idle.input({ type: "recovered", groups: [found] });
  expect(idle.effects[0]).toEqual({ type: "keep-images", ids: [id] });
  idle.input({ type: "absent", id });
  idle.input({ type: "image-ready", id, ready });
  expect(idle.types()).toEqual(["keep-images", "keep-nets", "adopt", "prepare-image", "spawn"]);
  const busy = play();
  busy.input({ type: "recovered", groups: [found] });
  busy.input({ type: "started", id, started: { pid: 7, startTicks: 1, shimPid: 6, shimStartTicks: 1, at: 1 } });
  busy.input({ type: "exited", id, exit: { exitCode: 0, signal: "", at: 2 } });
  expect(busy.types()).toEqual(["keep-images", "keep-nets", "adopt", "release-image"]);
});

test("driver docker is oci on an agent without an Engine, and is recorded so", () => {
  const { state, input, effects } = play();
  const spec = { ...emptySpec(), driver: "docker", driverConfigJson: JSON.stringify({ image: "a" }) };
  const group = { frameworkId: "f", frameworkName: "services", role: "web", launchId: "l", networkMode: "host" };
  const tasks = [{ info: { ...emptyTaskInfo, taskId: "a" }, spec, problem: "" }];
  input({ type: "launch", launch: { ...group, network: plainNetwork, ports: [], tasks } });
  const [task] = state.tasks.values();
  expect(task?.spec.driver).toBe("oci");
  expect(effects.find(({ type }) => type === "prepare-image")).toMatchObject({ wish: { byEngine: false, image: "a" } });
});
