import { CheckAction, type HealthCheck, invalid } from "@muster/framework-sdk";
import type { Check, Service, TaskGroup } from "@muster/jobspecs";

/** The health checks of services, as an agent runs them. */
export function healthChecks(services: readonly Service[], group: TaskGroup): HealthCheck[] {
  return services.flatMap((service) => service.checks.map((check) => healthCheck(check, service, group)));
}

function healthCheck(check: Check, service: Service, group: TaskGroup): HealthCheck {
  const portLabel = checkPortLabel(check, service, group) ?? "";
  const restart = check.checkRestart;
  const kills = restart !== undefined && restart.limit > 0;
  const made: HealthCheck = {
    name: check.name,
    intervalMs: check.intervalMs,
    timeoutMs: check.timeoutMs,
    failuresMax: kills ? restart.limit : check.failuresBeforeCritical + 1,
    action: kills ? CheckAction.CHECK_ACTION_KILL : CheckAction.CHECK_ACTION_REPORT,
  };
  if (kills) made.graceMs = restart.graceMs;
  if (check.type === "tcp") made.tcp = { portLabel };
  else {
    const headers: Record<string, string> = {};
    for (const [name, values] of Object.entries(check.headers)) headers[name] = values.join(", ");
    made.http = { portLabel, path: check.path, method: check.method, headers, scheme: check.protocol };
  }
  return made;
}

/** The label of the group's port that a check asks. */
function checkPortLabel(check: Check, service: Service, group: TaskGroup): string | undefined {
  if (check.portLabel !== undefined) return check.portLabel;
  if (check.port !== undefined) return labelOfNumber(check.port, group);
  return servicePortLabel(service, group);
}

export function servicePortLabel(service: Service, group: TaskGroup): string | undefined {
  if (service.portLabel !== undefined) return service.portLabel;
  return service.port === undefined ? undefined : labelOfNumber(service.port, group);
}

/** A number stands for the port of the group that is fixed to it. */
function labelOfNumber(number: number, group: TaskGroup): string | undefined {
  return group.network.ports.find((port) => port.static === number)?.label;
}

/** Throws `invalid` for a service or check whose port is none of its group's. */
export function checkPorts(service: Service, group: TaskGroup, path: string): void {
  const labels = new Set(group.network.ports.map((port) => port.label));
  const label = servicePortLabel(service, group);
  if (service.port !== undefined && label === undefined)
    throw invalid(`${path}.port`, `${service.port} is no fixed port of the group: name one in its network block`);
  if (label !== undefined && !labels.has(label))
    throw invalid(`${path}.portLabel`, `"${label}" is no port of the group`);
  for (const [index, check] of service.checks.entries()) {
    const checked = checkPortLabel(check, service, group);
    if (checked === undefined || !labels.has(checked))
      throw invalid(`${path}.checks[${index}]`, "needs a port of the group to ask");
    if (check.type === "http" && check.body !== "")
      throw invalid(`${path}.checks[${index}].body`, "request bodies are not supported");
  }
}
