import { fileURLToPath } from "node:url";
import type { LaunchWish } from "../../executors/src/agent/scripted-master.test.support.ts";

const executorProgram = fileURLToPath(new URL("../e2e/programs/custom-executor.js", import.meta.url));

/** What is killed in the midst of its life: a task of a driver, one of an image with a new layer, one of a custom executor. */
export type Kind = "process" | "exec" | "oci" | "oci-new" | "docker" | "executor";

export interface CrashPair {
  readonly kind: Kind;
  /** A mode of the agent's; "container": a task with a network of its own, which another one joins. */
  readonly networkMode: string;
}

export interface CrashLaunches {
  readonly wishes: LaunchWish[];
  /** Of the tasks in them: in that order they are ended. */
  readonly ids: string[];
}

export function driverOf(kind: Kind): string {
  return kind === "executor" ? "process" : kind === "oci-new" ? "oci" : kind;
}

/** What a master sends. `imageFolder` is a layout with an image "base", and for oci-new one with the task's name. */
export function launchesOf({ kind, networkMode }: CrashPair, taskId: string, imageFolder: string): CrashLaunches {
  if (kind === "executor") return executorLaunches(taskId);
  const images = { oci: `oci:${imageFolder}:base`, "oci-new": `oci:${imageFolder}:${taskId}`, docker: "base:1" };
  const image = images[kind as keyof typeof images];
  const config = image === undefined ? {} : { driverConfigJson: JSON.stringify({ image }) };
  const spec = { driver: driverOf(kind), command: "sh", arguments: ["-c", "(sleep 1000 &); sleep 1000"], ...config };
  if (networkMode === "container") {
    const joins = { taskId: `${taskId}-joins`, spec: { ...spec, networkMode: `container:${taskId}` } };
    const wish = { taskId, networkMode: "host", spec: { ...spec, networkMode: "none" }, others: [joins] };
    return { wishes: [wish], ids: [taskId, joins.taskId] };
  }
  const ports = networkMode === "none" ? [] : [{ label: "http", to: networkMode === "host" ? 0 : 8080, number: 0 }];
  return { wishes: [{ taskId, networkMode, ports, spec }], ids: [taskId] };
}

function executorLaunches(taskId: string): CrashLaunches {
  const killPolicy = { signal: "", graceMs: 1_000 };
  const executor = { executorId: taskId };
  const resources = { cpuMillis: 10, memoryMiB: 16 };
  const spec = { command: process.execPath, arguments: [executorProgram], killPolicy };
  const self = { taskId: `${taskId}-self`, executor, isExecutor: true, resources, spec };
  const given = { taskId, executor, spec: { driverConfigJson: "{}", killPolicy } };
  return { wishes: [self, given], ids: [taskId, self.taskId] };
}
