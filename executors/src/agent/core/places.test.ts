import { seededRandom } from "@muster/foundation";
import { type FurtherNetwork, type PortRequest, StatusReason, TaskState } from "@muster/proto";
import { expect, test } from "vitest";
import { intentRecord } from "../checkpoint/writer.ts";
import { emptySpec, emptyTaskInfo } from "../empty.ts";
import { coreConfig } from "./core-config.test.support.ts";
import { createState } from "./create-state.ts";
import type { AgentEffect, AgentInput } from "./effects.ts";
import { type AgentState, plainNetwork } from "./model.ts";
import { netSpec } from "./net.ts";
import { stateRecord } from "./recover.ts";
import { step } from "./step.ts";

const config = {
  ...coreConfig,
  attributes: { "network.limits": "1" },
  networkModes: new Set(["host", "bridge", "cni/web"]),
  addressesMax: 3,
};
const subnets = ["10.244.1.0/24", "fd44:0:0:1::/64"];

function aState(): AgentState {
  const state = createState(config, { first: 20_000, last: 20_019, reuseAfterMs: 60_000 }, seededRandom("core"), 0);
  act(state, { type: "overlay", name: "blue", state: { subnets } });
  return state;
}

function act(state: AgentState, input: AgentInput): readonly AgentEffect[] {
  return step(state, input, { monotonicMs: 1_000, epochMs: 1_700_000_000_000 });
}

const blue: FurtherNetwork = { mode: "overlay/blue" };
const port = (label: string, number: number, network = 0): PortRequest => ({
  label,
  number,
  to: 0,
  protocol: "",
  hostNetwork: "",
  network,
});

function launch(state: AgentState, taskId: string, ports: PortRequest[] = [], moreNetworks = [blue]) {
  const task = { info: { ...emptyTaskInfo, taskId }, spec: { ...emptySpec(), command: "serve" }, problem: "" };
  const own = { frameworkId: "f", frameworkName: "services", role: "web", launchId: `launch-${taskId}` };
  const network = { ...plainNetwork, downMbitMax: 9 };
  const mine = { ...own, networkMode: "bridge", network, moreNetworks, ports, tasks: [task] };
  const effects = act(state, { type: "launch", launch: mine });
  const asked = effects.find(({ type }) => type === "check-ports");
  const key = [...state.groups.keys()].at(-1) ?? "";
  if (asked) act(state, { type: "ports-checked", key, taken: [] });
  return state.groups.get(key);
}

test("a group in several networks has an address of each, and a port is open in the one that it names", () => {
  const state = aState();
  const group = launch(state, "a", [port("own", 80, 1), port("http", 8080)]);
  expect(group).toMatchObject({ addressIndex: 1, more: [{ mode: "overlay/blue", addressIndex: 1, subnets }] });
  expect(group?.assigned).toEqual([
    { label: "own", number: 0, to: 80, protocol: "", ip: "10.244.1.2", network: 1 },
    { label: "http", number: 8080, to: 8080, protocol: "", ip: config.ip },
  ]);
  const spec = group && netSpec(group);
  expect(spec?.ports.map(({ label }) => label)).toEqual(["http"]);
  expect(spec?.more?.map(({ mode, ports }) => [mode, ports.map(({ label }) => label)])).toEqual([
    ["overlay/blue", ["own"]],
  ]);
  // Bounds are those of one network, names those of the group.
  expect([spec?.settings.downMbitMax, spec?.more?.[0]?.settings.downMbitMax]).toEqual([9, undefined]);
  expect(spec?.more?.[0]?.settings.hostname).toBe(spec?.settings.hostname);
});

test("what was taken in one network is given back where the next has nothing left", () => {
  const state = aState();
  for (const id of ["a", "b", "c"]) launch(state, id, [], [blue]);
  const full = launch(state, "d");
  expect(full?.tasks[0]?.latest).toMatchObject({
    state: TaskState.TASK_DROPPED,
    reason: StatusReason.REASON_RESOURCES_MISSING,
  });
  expect([state.addresses.held.size, state.overlays.get("blue")?.pool?.held.size]).toEqual([3, 3]);
  act(state, { type: "kill", frameworkId: "f", taskId: "b", graceMs: 0, reason: 11 });
  expect([state.addresses.held.size, state.overlays.get("blue")?.pool?.held.size]).toEqual([2, 2]);
});

test("an agent that starts again asks for the same networks, and gives none of their addresses to others", () => {
  const before = aState();
  const group = launch(before, "a", [port("own", 80, 1), port("http", 8080)]);
  if (!group) throw new Error("no group");
  const intent = JSON.parse(JSON.stringify(intentRecord(before, group)));
  const state = createState(config, { first: 20_000, last: 20_019, reuseAfterMs: 60_000 }, seededRandom("core"), 0);
  const effects = act(state, {
    type: "recovered",
    groups: [{ key: group.key, intent, damaged: false, states: new Map() }],
  });
  const kept = effects.find((effect) => effect.type === "keep-nets");
  expect(kept?.type === "keep-nets" && kept.specs).toEqual([netSpec(group)]);
  act(state, { type: "overlay", name: "blue", state: { subnets } });
  const next = launch(state, "b");
  expect([next?.addressIndex, next?.more[0]?.addressIndex]).toEqual([2, 2]);
});

test("statuses tell the addresses of all networks, and checks go to the one that a port is in", () => {
  const state = aState();
  const group = launch(state, "a", [port("own", 80, 1)]);
  if (!group) throw new Error("no group");
  act(state, { type: "durable", purpose: { type: "launch", key: group.key } });
  const ready = { namespace: "/run/netns/a", ips: ["10.78.0.2"], more: [["10.244.1.2", "fd44:0:0:1::2"]] };
  const effects = act(state, { type: "net-ready", key: group.key, ready });
  const spawned = effects.find((effect) => effect.type === "spawn");
  const environment = spawned?.type === "spawn" ? spawned.spec.environment : {};
  expect([environment["MUSTER_ADDR_own"], environment["MUSTER_ALLOC_IP_own"]]).toEqual(["10.244.1.2:80", "10.244.1.2"]);
  act(state, {
    type: "started",
    id: `${group.key}.0`,
    started: { pid: 7, startTicks: 1, shimPid: 6, shimStartTicks: 1, at: 1 },
  });
  expect(group.tasks[0]?.latest?.container).toMatchObject({
    ips: ["10.78.0.2"],
    networks: [
      { mode: "bridge", link: "eth0", ips: ["10.78.0.2"] },
      { mode: "overlay/blue", link: "eth1", ips: ["10.244.1.2", "fd44:0:0:1::2"] },
    ],
  });
});

test("an agent that starts again remembers which addresses were given back last, in each network", () => {
  const before = aState();
  const groups = ["a", "b"].map((id) => launch(before, id));
  act(before, { type: "kill", frameworkId: "f", taskId: "a", graceMs: 0, reason: 11 });
  const found = groups.flatMap((group) =>
    group
      ? [
          {
            key: group.key,
            intent: JSON.parse(JSON.stringify(intentRecord(before, group))),
            damaged: false,
            states: new Map(group.tasks.map((task, index) => [index, JSON.parse(JSON.stringify(stateRecord(task)))])),
          },
        ]
      : [],
  );
  const state = createState(config, { first: 20_000, last: 20_019, reuseAfterMs: 60_000 }, seededRandom("core"), 0);
  act(state, { type: "recovered", groups: found });
  act(state, { type: "overlay", name: "blue", state: { subnets } });
  const next = ["c", "d"].map((id) => launch(state, id));
  expect(next.map((group) => [group?.addressIndex, group?.more[0]?.addressIndex])).toEqual([
    [3, 3],
    [1, 1],
  ]);
});
