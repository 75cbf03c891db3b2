import { CheckAction, type HealthCheck, invalid } from "@muster/framework-sdk";
import { type Check, isApart, mainTask, probeOf, type Service, type TaskGroup } from "@muster/jobspecs";

/** The health checks of one task, as an agent runs them: of its own services, and those of its group's that are its. */
export function healthChecks(group: TaskGroup, ordinal: number): HealthCheck[] {
  const task = group.tasks[ordinal];
  const main = group.tasks[mainTask(group)]?.name;
  const made: HealthCheck[] = [];
  for (const service of group.services)
    for (const check of service.checks)
      if ((check.task ?? main) === task?.name) made.push(healthCheck(check, service, group, ordinal));
  for (const service of task?.services ?? [])
    for (const check of service.checks) made.push(healthCheck(check, service, group, ordinal));
  return made;
}

function healthCheck(check: Check, service: Service, group: TaskGroup, ordinal: number): HealthCheck {
  const restart = check.checkRestart;
  const kills = restart !== undefined && restart.limit > 0;
  const made: HealthCheck = {
    name: check.name,
    intervalMs: check.intervalMs,
    timeoutMs: check.timeoutMs,
    failuresMax: kills ? restart.limit : check.failuresBeforeCritical + 1,
    action: kills ? CheckAction.CHECK_ACTION_ASK : CheckAction.CHECK_ACTION_REPORT,
  };
  if (kills) made.graceMs = restart.graceMs;
  const portLabel = checkPortLabel(check, service, group);
  const loopbackPort = loopbackPortOf(check, group, ordinal);
  if (loopbackPort !== undefined) made.loopbackPort = loopbackPort;
  return { ...made, ...probeOf(check, portLabel ?? "") };
}

/** Where a task can have no ports, a check's number is one inside its network, which the agent asks from there. */
function loopbackPortOf(check: Check, group: TaskGroup, ordinal: number): number | undefined {
  const hasPorts = group.network.mode !== "none" && !isApart(group, ordinal);
  return check.type === "script" || hasPorts ? undefined : check.port;
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

/** Which task a check is of. */
function ordinalOf({ task }: Check, group: TaskGroup, ordinal: number): number {
  return task === undefined ? ordinal : group.tasks.findIndex(({ name }) => name === task);
}

/** Throws `invalid` for a service or check whose port is none of its group's. */
export function checkPorts(service: Service, group: TaskGroup, ordinal: number, path: string): void {
  const labels = new Set(group.network.ports.map((port) => port.label));
  const label = servicePortLabel(service, group);
  if (label !== undefined && !labels.has(label))
    throw invalid(`${path}.portLabel`, `"${label}" is no port of the group`);
  for (const [index, check] of service.checks.entries()) {
    if (check.type === "script") continue;
    if (loopbackPortOf(check, group, ordinalOf(check, group, ordinal)) !== undefined) continue;
    const checked = checkPortLabel(check, service, group);
    if (checked === undefined || !labels.has(checked))
      throw invalid(`${path}.checks[${index}]`, "needs a port of the group to ask");
  }
}
