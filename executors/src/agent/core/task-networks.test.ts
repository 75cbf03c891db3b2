import { seededRandom } from "@muster/foundation";
import { TaskState } from "@muster/proto";
import { expect, test } from "vitest";
import { emptySpec, emptyTaskInfo } from "../empty.ts";
import { coreConfig } from "./core-config.test.support.ts";
import { createState } from "./create-state.ts";
import type { AgentEffect, AgentInput } from "./effects.ts";
import { type AgentState, plainNetwork } from "./model.ts";
import { step } from "./step.ts";
import { problemOfTaskNetworks } from "./task-networks.ts";

const config = { ...coreConfig, networkModes: new Set(["host", "none", "bridge"]) };

function act(state: AgentState, input: AgentInput): readonly AgentEffect[] {
  return step(state, input, { monotonicMs: 1_000, epochMs: 1_700_000_000_000 });
}

/** Launches a group of tasks with these networks, by name. */
function launch(state: AgentState, modes: Record<string, string>, networkMode = "host", port?: string) {
  const check = {
    name: "",
    intervalMs: 0,
    timeoutMs: 0,
    failuresMax: 1,
    action: 1,
    tcp: { portLabel: port ?? "" },
  } as const;
  const tasks = Object.entries(modes).map(([name, mode]) => ({
    info: { ...emptyTaskInfo, taskId: `job.${name}`, name },
    spec: { ...emptySpec(), command: "serve", networkMode: mode, healthChecks: port && mode !== "" ? [check] : [] },
    problem: "",
  }));
  const own = { frameworkId: "f", frameworkName: "services", role: "web", launchId: "l" };
  const ports = port ? [{ label: port, number: 0, to: 0, protocol: "", hostNetwork: "" }] : [];
  act(state, { type: "launch", launch: { ...own, networkMode, network: plainNetwork, ports, tasks } });
  const key = [...state.groups.keys()].at(-1) ?? "";
  const group = state.groups.get(key);
  if (!group) throw new Error("no group");
  const effects = act(state, { type: "durable", purpose: { type: "launch", key } });
  return { key, group, effects };
}

const aState = (): AgentState =>
  createState(config, { first: 20_000, last: 20_019, reuseAfterMs: 60_000 }, seededRandom("core"), 0);

test("a task with a network of its own, who joins it, and who has the host's: each gets what it asked for", () => {
  const state = aState();
  const { key, effects } = launch(state, {
    free: "",
    joins: "container:alone",
    alone: "none",
    last: "container:joins",
  });
  const built = effects.find((effect) => effect.type === "build-net");
  expect(built?.type === "build-net" && built.spec).toMatchObject({
    mode: "host",
    apart: [{ index: 2, hostname: "job-alone" }],
  });
  const apart = [{ index: 2, namespace: "/run/netns/x.2" }];
  const spawned = act(state, { type: "net-ready", key, ready: { namespace: "", ips: [], apart } });
  const networks = spawned.flatMap((effect) => (effect.type === "spawn" ? [effect.spec.network?.namespace] : []));
  expect(networks).toEqual([undefined, "/run/netns/x.2", "/run/netns/x.2", "/run/netns/x.2"]);
});

test("who joins a task that has its group's network has that", () => {
  const state = aState();
  const { key } = launch(state, { a: "", b: "container:a", c: "none" }, "bridge");
  const apart = [{ index: 2, namespace: "/run/netns/x.2" }];
  const spawned = act(state, {
    type: "net-ready",
    key,
    ready: { namespace: "/run/netns/x", ips: ["10.78.0.2"], apart },
  });
  const networks = spawned.flatMap((effect) => (effect.type === "spawn" ? [effect.spec.network?.namespace] : []));
  expect(networks).toEqual(["/run/netns/x", "/run/netns/x", "/run/netns/x.2"]);
});

test("a port of the group is not in a task's own network: a check of it there is refused with the way out", () => {
  const { group } = launch(aState(), { a: "", b: "none" }, "bridge", "http");
  expect(group.tasks[1]?.latest).toMatchObject({
    state: TaskState.TASK_ERROR,
    message: 'health_checks[0]: port "http" is not in the network of task b; ask it at loopback_port',
  });
});

test.each([
  [{ a: "container:b", b: "container:a" }, 0, "container:b leads back to where it began"],
  [{ a: "container:a" }, 0, "container:a leads back to where it began"],
  [{ a: "", b: "container:c" }, 1, 'its group has no task "c"'],
  [{ a: "bridge" }, 0, '"bridge" must be none, container:NAME or empty'],
])("networks that can't be joined are named with the task: %j", (modes, index, problem) => {
  const wishes = Object.entries(modes).map(([name, networkMode]) => ({ name, networkMode }));
  expect(problemOfTaskNetworks(wishes)).toEqual({ index, problem: `spec.network_mode: ${problem}` });
});

test("two tasks of one name can't be told apart, and what leads to a circle is refused also from outside of it", () => {
  const twice = ["x", "x", "y"].map((name) => ({ name, networkMode: name === "y" ? "container:x" : "" }));
  expect(problemOfTaskNetworks(twice)?.problem).toBe('spec.network_mode: its group has several tasks "x"');
  const circle = [
    { name: "in", networkMode: "container:a" },
    { name: "a", networkMode: "container:b" },
    { name: "b", networkMode: "container:a" },
  ];
  expect(problemOfTaskNetworks(circle)?.index).toBe(0);
  expect(
    problemOfTaskNetworks([
      { name: "a", networkMode: "none" },
      { name: "b", networkMode: "container:a" },
    ]),
  ).toBe(undefined);
});
