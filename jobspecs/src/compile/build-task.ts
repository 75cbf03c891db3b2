import { didYouMean } from "../diagnostics/suggest.ts";
import { cpuMillisDefault, killTimeoutMsDefault, memoryMiBDefault, memoryMiBUnbounded } from "../job/defaults.ts";
import {
  type Driver,
  drivers,
  isTaskNetworkMode,
  type JobType,
  type LifecycleHook,
  type Task,
  type TaskLogs,
  type TaskResources,
} from "../job/types.ts";
import { buildArtifacts } from "./build-artifacts.ts";
import { buildConfig } from "./build-config.ts";
import { buildEnvironment } from "./build-environment.ts";
import { buildDispatchPayload } from "./build-parameterized.ts";
import { buildConstraints, buildRestart } from "./build-policies.ts";
import { buildPreferences } from "./build-preferences.ts";
import { buildServices, type ServiceContext } from "./build-services.ts";
import { buildTaskFiles, checkSecretReferences } from "./build-task-files.ts";
import { buildMounts } from "./build-volumes.ts";
import type { DecodedBlock } from "./decoded.ts";
import { signalNamed } from "./signals.ts";

export interface TaskContext {
  readonly type: JobType;
  readonly meta: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  readonly services: ServiceContext;
}

/** Known elsewhere or planned, so that the message can say so. */
const otherDrivers = ["java", "qemu", "podman", "exec2"];

export function buildTask(block: DecodedBlock, context: TaskContext): Task {
  if (!/^[\x21-\x7e]{1,63}$/.test(block.label) || block.label.includes("/")) {
    block.error(undefined, {
      code: "job/bad-name",
      summary: `"${block.label}" can't be a task's name`,
      detail: "A name has 1 to 63 visible ASCII characters, without spaces and slashes.",
    });
  }
  const driver = readDriver(block);
  const config = block.first("config");
  if (!config && driver) block.error(undefined, { code: "job/no-config", summary: "the task has no config block" });
  const user = block.text("user");
  const restart = block.first("restart");
  const task: Task = {
    name: block.label,
    driver: driver ?? "process",
    config: buildConfig(config, driver),
    ...(user === undefined ? {} : { user }),
    env: { ...context.env, ...buildEnvironment(block) },
    resources: buildResources(block.first("resources"), driver),
    constraints: buildConstraints(block),
    ...buildPreferences(block),
    services: buildServices(block, context.services),
    ...(restart ? { restart: buildRestart(restart, context.type) } : {}),
    killTimeoutMs: block.number("kill_timeout") ?? killTimeoutMsDefault,
    killSignal: signalNamed(block, "kill_signal", "SIGTERM"),
    shutdownDelayMs: block.number("shutdown_delay") ?? 0,
    logs: buildLogs(block.first("logs")),
    meta: { ...context.meta, ...block.textMap("meta") },
    leader: block.bool("leader") ?? false,
    ...buildMounts(block, driver),
    ...buildArtifacts(block, driver),
    ...buildTaskNetwork(block),
    ...buildLifecycle(block),
    ...buildDispatchPayload(block),
    ...buildTaskFiles(block, driver),
  };
  checkSecretReferences(block, task);
  return task;
}

function buildTaskNetwork(block: DecodedBlock): Pick<Task, "network"> {
  const written = block.first("network");
  const mode = written?.text("mode");
  if (!written || mode === undefined) return {};
  if (isTaskNetworkMode(mode)) return { network: { mode } };
  written.error("mode", {
    code: "job/network-mode",
    summary: `network mode "${mode}" is none of a task`,
    hint: 'use mode = "none" or "container:TASK"; other modes are those of the group',
  });
  return {};
}

function buildLifecycle(block: DecodedBlock): Pick<Task, "lifecycle"> {
  const written = block.first("lifecycle");
  const hook = written?.text("hook");
  if (!written || hook === undefined) return {};
  const sidecar = written.bool("sidecar") ?? false;
  if (sidecar && hook === "poststop")
    written.error("sidecar", { code: "job/lifecycle", summary: "what runs after the end is beside nothing" });
  if (block.bool("leader"))
    block.error("leader", { code: "job/lifecycle", summary: "a leader is a main task, without lifecycle" });
  return { lifecycle: { hook: hook as LifecycleHook, sidecar } };
}

function readDriver(block: DecodedBlock): Driver | undefined {
  const driver = block.text("driver");
  if (driver === "raw_exec") return "process";
  const known = drivers.find((name) => name === driver);
  if (driver === undefined || known) return known;
  block.error("driver", {
    code: "job/driver",
    summary: otherDrivers.includes(driver)
      ? `driver "${driver}" is not available in this release`
      : `no driver "${driver}" is known`,
    hint:
      didYouMean(driver, ["process", "raw_exec", "exec", "oci", "docker"]) ?? 'use driver = "oci", "exec" or "process"',
  });
  return undefined;
}

/** Bounds that the kernel keeps for containers alone. */
const containerBounds = ["cpu_max", "memory_max", "io_max"];

function buildResources(block: DecodedBlock | undefined, driver: Driver | undefined): TaskResources {
  const cores = block?.number("cores");
  const cpu = block?.number("cpu");
  if (cores !== undefined && cpu !== undefined) {
    block?.error("cpu", { code: "job/cpu-and-cores", summary: "cpu and cores exclude each other" });
  }
  const cpuMillis = cores === undefined ? (cpu ?? cpuMillisDefault) : cores * 1000;
  const cpuMillisMax = block?.number("cpu_max");
  if (cpuMillisMax !== undefined && cpuMillisMax < cpuMillis)
    block?.error("cpu_max", { code: "job/cpu-max", summary: `cpu_max must not be below cpu (${cpuMillis})` });
  const memoryMiB = block?.number("memory") ?? memoryMiBDefault;
  const written = block?.number("memory_max");
  const memoryMiBMax = written === -1 ? memoryMiBUnbounded : written === 0 ? undefined : written;
  if (memoryMiBMax !== undefined && memoryMiBMax < memoryMiB)
    block?.error("memory_max", {
      code: "job/memory-max",
      summary: `memory_max must not be below memory (${memoryMiB})`,
    });
  const ioMiBPerSecondMax = block?.number("io_max");
  for (const name of driver === "process" ? containerBounds : [])
    if (block?.number(name) !== undefined)
      block.warning(name, {
        code: "job/bound-not-kept",
        summary: `${name} has no effect: driver "process" keeps a task within no bounds`,
        hint: 'use driver = "exec", which runs it in a container',
      });
  return {
    cpuMillis,
    ...(block?.bool("revocable") ? { isRevocable: true } : {}),
    ...(cpuMillisMax === undefined ? {} : { cpuMillisMax }),
    memoryMiB,
    ...(memoryMiBMax === undefined ? {} : { memoryMiBMax }),
    diskMiB: block?.number("disk") ?? 0,
    ...(ioMiBPerSecondMax === undefined ? {} : { ioMiBPerSecondMax }),
  };
}

function buildLogs(block: DecodedBlock | undefined): TaskLogs {
  return {
    disabled: block?.bool("disabled") ?? block?.bool("enabled") === false,
    fileCount: block?.number("max_files") ?? 10,
    fileSizeMiB: block?.number("max_file_size") ?? 10,
  };
}
