import { type HealthCheck, type ScriptProbe, StatusReason, TaskState } from "@muster/proto";
import { findNetwork } from "../../networks/networks.ts";
import type { ProbePlace, ProbeTarget, ProbeTls } from "../../world/prober.ts";
import { taskEnvironment } from "../environment/environment.ts";
import { createInterpolation } from "../environment/interpolation.ts";
import { procId } from "./attempts.ts";
import type { CoreConfig, Task } from "./model.ts";
import { ipsAt, networkOfPort } from "./places.ts";
import { hasNamespace, namespaceOf, networkOwner } from "./task-networks.ts";

export interface CheckRefusal {
  readonly state: TaskState;
  readonly reason: StatusReason;
  readonly message: string;
}

/** What of a task's checks can never be made. */
export function unsupportedCheck(task: Task): CheckRefusal | undefined {
  for (const [index, check] of task.spec.healthChecks.entries()) {
    const wrong = problemOf(check, task);
    if (wrong === undefined) continue;
    const message = `health_checks[${index}]${wrong}`;
    return { state: TaskState.TASK_ERROR, reason: StatusReason.REASON_TASK_INVALID, message };
  }
  return undefined;
}

function problemOf({ http, tcp, grpc, script, loopbackPort }: HealthCheck, task: Task): string | undefined {
  const { group } = task;
  if (script) return script.command === "" ? ".script.command: must not be empty" : undefined;
  const label = (http ?? tcp ?? grpc)?.portLabel;
  if (label === undefined) return ": has no probe";
  if (loopbackPort !== undefined) {
    if (loopbackPort < 1 || loopbackPort > 65_535) return `.loopback_port: ${loopbackPort} is no port`;
    return hasNamespace(task)
      ? undefined
      : `.loopback_port: network mode ${group.networkMode} has no loopback of its own`;
  }
  if (!group.ports.some((port) => port.label === label)) return `: its group has no port "${label}"`;
  const owner = networkOwner(task);
  return owner && `: port "${label}" is not in the network of task ${owner.info.name}; ask it at loopback_port`;
}

/** Whether a check takes processes beside the agent's own. */
export function needsHelper({ script, loopbackPort }: HealthCheck): boolean {
  return script !== undefined || loopbackPort !== undefined;
}

/** Whom and what a check asks, with what only the agent knows filled in. Undefined: there is nothing to ask yet. */
export function probeTarget(task: Task, check: HealthCheck, config: CoreConfig): ProbeTarget | undefined {
  const { http, grpc, script } = check;
  if (script) return scriptTarget(task, script, config);
  const place = placeOf(task, check);
  if (!place) return undefined;
  if (grpc) return { type: "grpc", ...place, service: grpc.service, ...(grpc.tls ? { tls: tlsOf(grpc) } : {}) };
  if (!http) return { type: "tcp", ...place };
  const fill = filler(task, config);
  return {
    type: "http",
    ...place,
    method: http.method || "GET",
    path: fill(http.path) || "/",
    headers: Object.fromEntries(Object.entries(http.headers).map(([name, value]) => [name, fill(value)])),
    body: fill(http.body),
    ...(http.scheme === "https" ? { tls: tlsOf(http) } : {}),
  };
}

/** A command beside a task. Undefined: it does not run. */
export function scriptTarget(
  task: Task,
  script: Pick<ScriptProbe, "command" | "arguments">,
  config: CoreConfig,
): ProbeTarget | undefined {
  const { group, started } = task;
  const network = findNetwork(group.networkMode);
  if (!started || !network) return undefined;
  const { environment, interpolate } = createInterpolation(taskEnvironment(task, config, network), task, config);
  return {
    type: "script",
    id: procId(task),
    pid: started.pid,
    startTicks: started.startTicks,
    command: interpolate(script.command),
    arguments: script.arguments.map(interpolate),
    environment,
  };
}

/** A group with an address of its own is asked there: the host reaches it, and no map of ports stands in between. */
function placeOf(task: Task, { http, tcp, grpc, loopbackPort }: HealthCheck): ProbePlace | undefined {
  const { group } = task;
  if (loopbackPort !== undefined) {
    const namespace = namespaceOf(task);
    return namespace === undefined ? undefined : { ip: "127.0.0.1", port: loopbackPort, namespace };
  }
  const port = group.assigned.find(({ label }) => label === (http ?? tcp ?? grpc)?.portLabel);
  if (!port) return undefined;
  const [ownIp] = ipsAt(group, port.network ?? 0);
  const network = networkOfPort(group, port);
  if (ownIp === undefined || !network) return { ip: port.ip, port: port.number };
  return { ip: ownIp, port: network.portInside(port) };
}

function tlsOf({ tlsSkipVerify, tlsServerName }: { tlsSkipVerify: boolean; tlsServerName: string }): ProbeTls {
  return { skipsVerify: tlsSkipVerify, serverName: tlsServerName };
}

/** Most checks refer to nothing: the task's environment is only made for those that do. */
function filler(task: Task, config: CoreConfig): (text: string) => string {
  let interpolate: ((text: string) => string) | undefined;
  return (text) => {
    if (!text.includes("${")) return text;
    const network = findNetwork(task.group.networkMode);
    if (!network) return text;
    interpolate ??= createInterpolation(taskEnvironment(task, config, network), task, config).interpolate;
    return interpolate(text);
  };
}
