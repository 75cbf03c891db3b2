import { seededRandom } from "@muster/foundation";
import { StatusReason, TaskState, type TaskStatus } from "@muster/proto";
import { expect, test } from "vitest";
import type { ProcExit } from "../../world/proc.ts";
import { emptySpec, emptyTaskInfo } from "../empty.ts";
import { coreConfig } from "./core-config.test.support.ts";
import { createState } from "./create-state.ts";
import type { AgentInput } from "./effects.ts";
import { type AgentState, type CoreConfig, noTaskResources, plainNetwork } from "./model.ts";
import { step } from "./step.ts";

const config: CoreConfig = {
  ...coreConfig,
  drivers: new Set(["exec"]),
  mayChangeUser: true,
  tasksMax: 10,
  probesMax: 2,
};
const { TASK_RUNNING, TASK_FAILED, TASK_FINISHED } = TaskState;

/** A task that runs with a limit of 32 MiB. */
function aRunningTask(): { state: AgentState; id: string } {
  const state = createState(config, { first: 20_000, last: 20_009, reuseAfterMs: 0 }, seededRandom("memory"), 0);
  const info = { ...emptyTaskInfo, taskId: "t", resources: { ...noTaskResources, memoryMiB: 32 } };
  const spec = { ...emptySpec(), driver: "exec", command: "serve" };
  act(state, {
    type: "launch",
    launch: {
      frameworkId: "f",
      frameworkName: "services",
      role: "web",
      launchId: "l",
      networkMode: "host",
      network: plainNetwork,
      ports: [],
      tasks: [{ info, spec, problem: "" }],
    },
  });
  const [key = ""] = state.groups.keys();
  act(state, { type: "durable", purpose: { type: "launch", key } });
  const started = { pid: 7, startTicks: 1, shimPid: 6, shimStartTicks: 1, at: 1 };
  act(state, { type: "started", id: `${key}.0`, started });
  return { state, id: `${key}.0` };
}

function act(state: AgentState, input: AgentInput): void {
  step(state, input, { monotonicMs: 1, epochMs: 1 });
}

function latest(state: AgentState, id: string): TaskStatus | undefined {
  return state.tasks.get(id)?.latest;
}

function endedBy(exit: Partial<ProcExit>): TaskStatus | undefined {
  const { state, id } = aRunningTask();
  act(state, { type: "exited", id, exit: { exitCode: undefined, signal: "", at: 2, ...exit } });
  return latest(state, id);
}

test("a process lost for want of memory is news while the task runs; further ones are when their count has doubled", () => {
  const { state, id } = aRunningTask();
  const told: number[] = [];
  for (let kills = 1; kills <= 100; kills++) {
    const before = latest(state, id)?.sequence;
    act(state, { type: "memory-killed", id, kills });
    if (latest(state, id)?.sequence !== before) told.push(kills);
  }
  expect(told).toEqual([1, 2, 4, 8, 16, 32, 64]);
  expect(latest(state, id)).toMatchObject({ state: TASK_RUNNING, reason: StatusReason.REASON_OUT_OF_MEMORY });
  expect(latest(state, id)?.message).toContain("limit of 32 MiB the kernel ended 64 of its processes");
});

test("an end by SIGKILL is the memory's fault only if the kernel has counted a kill", () => {
  const { REASON_OUT_OF_MEMORY, REASON_COMMAND_EXITED } = StatusReason;
  expect(endedBy({ signal: "SIGKILL", memoryKills: 1 })).toMatchObject({
    state: TASK_FAILED,
    reason: REASON_OUT_OF_MEMORY,
  });
  expect(endedBy({ signal: "SIGKILL" })?.reason).toBe(REASON_COMMAND_EXITED);
  expect(endedBy({ exitCode: 137 })?.reason).toBe(REASON_COMMAND_EXITED);
  expect(endedBy({ exitCode: 137, memoryKills: 2 })?.reason).toBe(REASON_OUT_OF_MEMORY);
  const other = endedBy({ exitCode: 3, memoryKills: 1 });
  expect(other).toMatchObject({ reason: REASON_COMMAND_EXITED, exitCode: 3 });
  expect(other?.message).toMatch(/^exit code 3; before that, out of memory/);
  expect(endedBy({ exitCode: 0, memoryKills: 1 })?.state).toBe(TASK_FINISHED);
});
