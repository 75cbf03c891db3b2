import { codecOf, emptyMessage, type Resources, resources } from "@muster/foundation";
import { CheckAction, type ExecutorInfo, type HealthCheck, type PortRequest, type TaskSpec } from "@muster/proto";
import type { PlacementConstraint } from "../placement/constraints.ts";

/** A program to run. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** A program of the agent's host, found in its PATH if it has no slash. `${MUSTER_PORT_x}` and the like are filled in there. */
export function command(
  program: string,
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Command {
  return { program, args, environment };
}

/** Delays between tries of a task that fails: they double from the first to the last. */
export interface RestartBackoff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** Default of what is not said: 1 s and 300 s. */
export function backoff({ firstMs = 1_000, maxMs = 300_000 }: Partial<RestartBackoff> = {}): RestartBackoff {
  return { firstMs, maxMs };
}

const checkDefaults = {
  name: "",
  intervalMs: 0,
  timeoutMs: 0,
  failuresMax: 0,
  action: CheckAction.CHECK_ACTION_REPORT,
};

/** Healthy while a port accepts connections. */
export function tcp(portLabel: string): HealthCheck {
  return { ...checkDefaults, tcp: { portLabel } };
}

/** Healthy while a path answers 200 to 399. */
export function http(portLabel: string, path = "/"): HealthCheck {
  const plain = { scheme: "http", body: "", tlsSkipVerify: false, tlsServerName: "" };
  return { ...checkDefaults, http: { portLabel, path, method: "GET", headers: {}, ...plain } };
}

/** What a framework wants to run. */
export interface TaskTemplate {
  /** Letters, digits, dashes and underscores: part of its tasks' ids, and its name in DNS. */
  readonly name: string;
  readonly resources: {
    readonly cpuMillis: number;
    readonly memoryMiB: number;
    readonly diskMiB?: number;
    /** By label: a number of the host, or one that the agent picks. */
    readonly ports?: Readonly<Record<string, number | "dynamic">>;
  };
  /** What its agent runs. To be left out where an executor takes care of it. */
  readonly run?: Command;
  /** The custom executor that runs it, beside other tasks. Default: its agent does. */
  readonly executor?: ExecutorTemplate;
  /** What the executor is told of it: plain JSON. */
  readonly data?: unknown;
  readonly constraints?: readonly PlacementConstraint[];
  /** The only agent that will do. Default: any. */
  readonly agentId?: string;
  readonly check?: HealthCheck;
  /** Default: 1 s doubling to 300 s. */
  readonly restart?: RestartBackoff;
  /** Default: the framework's first role. */
  readonly role?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** A program of the framework that runs tasks, started on an agent with the first task that names it there. */
export interface ExecutorTemplate {
  /** Letters, digits, dashes and underscores: one of that name lives on an agent, and its own task has it too. */
  readonly id: string;
  readonly resources: { readonly cpuMillis: number; readonly memoryMiB: number; readonly diskMiB?: number };
  readonly run: Command;
  /** It is shut down when it has had no task for so long. Default: 30 s. */
  readonly idleTimeoutMs?: number;
  /** It must have attached so long after its start. Default: 60 s. */
  readonly registrationTimeoutMs?: number;
  /** What it is given to end, with its tasks. Default: 5 s. */
  readonly shutdownGraceMs?: number;
}

export function templateResources({ resources: amounts }: TaskTemplate): Resources {
  const { cpuMillis, memoryMiB, diskMiB = 0 } = amounts;
  return resources({ cpuMillis, memoryMiB, diskMiB });
}

export function templatePorts({ resources: amounts }: TaskTemplate): PortRequest[] {
  return Object.entries(amounts.ports ?? {}).map(([label, port]) => ({
    label,
    number: port === "dynamic" ? 0 : port,
    to: 0,
    protocol: "",
    hostNetwork: "",
  }));
}

const noCommand: Command = { program: "", args: [], environment: {} };

export function templateSpec({ run = noCommand, check, data }: TaskTemplate): TaskSpec {
  const driverConfigJson = data === undefined ? "" : JSON.stringify(data);
  return { ...commandSpec(run), healthChecks: check ? [check] : [], driverConfigJson };
}

/** What starts an executor of a template, as the task of that id. */
export function executorInfo(template: ExecutorTemplate, taskId: string): ExecutorInfo {
  const { id, run, idleTimeoutMs, registrationTimeoutMs, shutdownGraceMs } = template;
  const killPolicy = shutdownGraceMs === undefined ? null : { signal: "", graceMs: shutdownGraceMs };
  return {
    executorId: id,
    task: {
      taskId,
      name: id,
      resources: executorResources(template),
      discovery: null,
      labels: {},
      spec: codecOf("TaskSpec").encode({ ...commandSpec(run), killPolicy }),
    },
    networkMode: "",
    network: null,
    ports: [],
    ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
    ...(registrationTimeoutMs === undefined ? {} : { registrationTimeoutMs }),
  };
}

export function executorResources({ resources: amounts }: ExecutorTemplate): Resources {
  const { cpuMillis, memoryMiB, diskMiB = 0 } = amounts;
  return resources({ cpuMillis, memoryMiB, diskMiB });
}

function commandSpec(run: Command): TaskSpec {
  return {
    ...emptyMessage("TaskSpec"),
    driver: "process",
    command: run.program,
    arguments: [...run.args],
    environment: { ...run.environment },
  };
}
