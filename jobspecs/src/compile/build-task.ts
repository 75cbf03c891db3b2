import { didYouMean } from "../diagnostics/suggest.ts";
import { cpuMillisDefault, killTimeoutMsDefault, memoryMiBDefault } from "../job/defaults.ts";
import type { JobType, Task, TaskLogs, TaskResources } from "../job/types.ts";
import { buildConstraints, buildRestart } from "./build-policies.ts";
import { buildServices, type ServiceContext } from "./build-services.ts";
import type { DecodedBlock } from "./decoded.ts";

export interface TaskContext {
  readonly type: JobType;
  readonly meta: Readonly<Record<string, string>>;
  readonly services: ServiceContext;
}

/** Known elsewhere or planned, so that the message can say so. */
const otherDrivers = ["exec", "docker", "oci", "java", "qemu", "podman", "exec2"];

export function buildTask(block: DecodedBlock, context: TaskContext): Task {
  if (!/^[\x21-\x7e]{1,63}$/.test(block.label) || block.label.includes("/")) {
    block.error(undefined, {
      code: "job/bad-name",
      summary: `"${block.label}" can't be a task's name`,
      detail: "A name has 1 to 63 visible ASCII characters, without spaces and slashes.",
    });
  }
  const isProcess = acceptsDriver(block);
  const config = block.first("config");
  if (!config && isProcess) block.error(undefined, { code: "job/no-config", summary: "the task has no config block" });
  if (config?.text("command") === "") {
    config.error("command", { code: "job/no-command", summary: "the command must not be empty" });
  }
  const user = block.text("user");
  const restart = block.first("restart");
  return {
    name: block.label,
    driver: "process",
    config: { command: config?.text("command") ?? "", args: config?.texts("args") ?? [] },
    ...(user === undefined ? {} : { user }),
    env: buildEnvironment(block),
    resources: buildResources(block.first("resources")),
    constraints: buildConstraints(block),
    services: buildServices(block, context.services),
    ...(restart ? { restart: buildRestart(restart, context.type) } : {}),
    killTimeoutMs: block.number("kill_timeout") ?? killTimeoutMsDefault,
    killSignal: buildSignal(block),
    shutdownDelayMs: block.number("shutdown_delay") ?? 0,
    logs: buildLogs(block.first("logs")),
    meta: { ...context.meta, ...block.textMap("meta") },
    leader: block.bool("leader") ?? false,
  };
}

function acceptsDriver(block: DecodedBlock): boolean {
  const driver = block.text("driver");
  if (driver === undefined || driver === "process" || driver === "raw_exec") return driver !== undefined;
  block.error("driver", {
    code: "job/driver",
    summary: otherDrivers.includes(driver)
      ? `driver "${driver}" is not available in this release`
      : `no driver "${driver}" is known`,
    hint: didYouMean(driver, ["process", "raw_exec"]) ?? 'use driver = "process"',
  });
  return false;
}

function buildEnvironment(block: DecodedBlock): Readonly<Record<string, string>> {
  const env = block.textMap("env");
  for (const name of Object.keys(env)) {
    if (name === "" || name.includes("=") || name.includes("\0")) {
      block.error("env", { code: "job/bad-env", summary: `"${name}" can't be the name of an environment variable` });
    }
  }
  return env;
}

function buildResources(block: DecodedBlock | undefined): TaskResources {
  const cores = block?.number("cores");
  const cpu = block?.number("cpu");
  if (cores !== undefined && cpu !== undefined) {
    block?.error("cpu", { code: "job/cpu-and-cores", summary: "cpu and cores exclude each other" });
  }
  return {
    cpuMillis: cores === undefined ? (cpu ?? cpuMillisDefault) : cores * 1000,
    memoryMiB: block?.number("memory") ?? memoryMiBDefault,
    diskMiB: block?.number("disk") ?? 0,
  };
}

const signals =
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM CHLD CONT STOP TSTP TTIN TTOU WINCH"
    .split(" ")
    .map((name) => `SIG${name}`);

function buildSignal(block: DecodedBlock): string {
  const written = block.text("kill_signal") ?? "SIGTERM";
  const name = written.startsWith("SIG") ? written : `SIG${written}`;
  if (!signals.includes(name)) {
    block.error("kill_signal", {
      code: "job/bad-signal",
      summary: `no signal "${written}"`,
      hint: didYouMean(name, signals),
    });
  }
  return name;
}

function buildLogs(block: DecodedBlock | undefined): TaskLogs {
  return {
    disabled: block?.bool("disabled") ?? block?.bool("enabled") === false,
    fileCount: block?.number("max_files") ?? 10,
    fileSizeMiB: block?.number("max_file_size") ?? 10,
  };
}
