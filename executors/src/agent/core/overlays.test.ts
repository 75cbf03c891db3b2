import { seededRandom } from "@muster/foundation";
import { StatusReason, TaskState } from "@muster/proto";
import { expect, test } from "vitest";
import { emptySpec, emptyTaskInfo } from "../empty.ts";
import { createState } from "./create-state.ts";
import type { AgentEffect, AgentInput } from "./effects.ts";
import { type AgentState, type CoreConfig, plainNetwork } from "./model.ts";
import { availableModes, unavailableOverlays } from "./overlays.ts";
import { step } from "./step.ts";

const config = {
  agentId: "agent-1",
  ip: "10.0.0.1",
  bootId: "boot-1",
  attributes: {},
  drivers: new Set(["process"]),
  networkModes: new Set(["host"]),
  tasksMax: 100,
  addressesMax: 3,
  diskFreeBytesMin: 0,
  diskFreeFractionMin: 0,
} as unknown as CoreConfig;

const aState = (): AgentState =>
  createState(config, { first: 20_000, last: 20_019, reuseAfterMs: 60_000 }, seededRandom("core"), 0);

function act(state: AgentState, input: AgentInput): readonly AgentEffect[] {
  return step(state, input, { monotonicMs: 1_000, epochMs: 1_700_000_000_000 });
}

function launch(state: AgentState, taskId: string): readonly AgentEffect[] {
  const port = { label: "http", number: 80, to: 0, protocol: "", hostNetwork: "" };
  const task = { info: { ...emptyTaskInfo, taskId }, spec: { ...emptySpec(), command: "serve" }, problem: "" };
  return act(state, {
    type: "launch",
    launch: {
      frameworkId: "f",
      frameworkName: "services",
      role: "web",
      launchId: `launch-${taskId}`,
      networkMode: "overlay/blue",
      network: plainNetwork,
      ports: [port],
      tasks: [task],
    },
  });
}

const groupOf = (state: AgentState, taskId: string) =>
  [...state.groups.values()].find(({ tasks }) => tasks[0]?.info.taskId === taskId);
const subnets = ["10.244.1.0/24", "fd44:0:0:1::/64"];
const blue: AgentInput = { type: "overlay", name: "blue", state: { subnets } };

test("groups are launched in an overlay network only while the agent has its subnet, and the master is told", () => {
  const state = aState();
  launch(state, "early");
  expect(groupOf(state, "early")?.tasks[0]?.latest).toMatchObject({ state: TaskState.TASK_DROPPED });
  expect(act(state, blue)).toEqual([{ type: "tell-networks" }]);
  expect(act(state, blue)).toEqual([]);
  expect(availableModes(state)).toEqual(["host", "overlay/blue"]);
  act(state, { type: "overlay", name: "blue", state: { reason: "the master has none" } });
  expect([availableModes(state), unavailableOverlays(state)]).toEqual([
    ["host"],
    [{ name: "network/overlay/blue", reason: "the master has none" }],
  ]);
  launch(state, "late");
  expect(groupOf(state, "late")?.tasks[0]?.latest).toMatchObject({
    state: TaskState.TASK_DROPPED,
    reason: StatusReason.REASON_UNSUPPORTED,
    message: "network mode overlay/blue: the master has none",
  });
});

test("groups with the same port each have it at their own address; the kernel's ports are not asked for", () => {
  const state = aState();
  act(state, blue);
  const effects = [launch(state, "a"), launch(state, "b")].flat();
  expect(effects.some(({ type }) => type === "check-ports")).toBe(false);
  expect(["a", "b"].map((id) => groupOf(state, id)?.assigned)).toEqual([
    [{ label: "http", number: 0, to: 80, protocol: "", ip: "10.244.1.2" }],
    [{ label: "http", number: 0, to: 80, protocol: "", ip: "10.244.1.3" }],
  ]);
  expect(groupOf(state, "a")?.subnets).toEqual(subnets);
  expect(state.ports.held.size).toBe(0);
});

test("case 27: a subnet that is full refuses with that reason, and takes the next after one has gone", () => {
  const state = aState();
  act(state, blue);
  for (const id of ["a", "b", "c"]) launch(state, id);
  launch(state, "d");
  expect(groupOf(state, "d")?.tasks[0]?.latest).toMatchObject({
    state: TaskState.TASK_DROPPED,
    reason: StatusReason.REASON_RESOURCES_MISSING,
  });
  act(state, { type: "kill", frameworkId: "f", taskId: "b", graceMs: 0, reason: 11 });
  launch(state, "e");
  expect(groupOf(state, "e")?.addressIndex).toBe(2);
});

test("after a loss of the subnet its addresses are still those of the groups that run", () => {
  const state = aState();
  act(state, blue);
  launch(state, "a");
  act(state, { type: "overlay", name: "blue", state: { reason: "lost" } });
  act(state, blue);
  launch(state, "b");
  expect(groupOf(state, "b")?.addressIndex).toBe(2);
  // In another subnet all numbers are free, and the old group's end gives none of them back.
  act(state, { type: "overlay", name: "blue", state: { subnets: ["10.244.9.0/24"] } });
  launch(state, "c");
  expect(groupOf(state, "c")).toMatchObject({ addressIndex: 1, subnets: ["10.244.9.0/24"] });
  act(state, { type: "kill", frameworkId: "f", taskId: "a", graceMs: 0, reason: 11 });
  launch(state, "d");
  expect(groupOf(state, "d")?.addressIndex).toBe(2);
});
