import { CheckAction, type HealthCheck } from "@muster/framework-sdk";
import { type Check, isApart, mainTask, probeOf, type Service, type TaskGroup } from "@muster/jobspecs";

/** The health checks of one task, as an agent runs them: of its own services, and those of its group's that are its. */
export function healthChecks(group: TaskGroup, ordinal: number): HealthCheck[] {
  const task = group.tasks[ordinal];
  const main = group.tasks[mainTask(group)]?.name;
  const shared = group.services.flatMap((service) =>
    service.checks
      .filter((check) => (check.task ?? main) === task?.name)
      .map((check) => healthCheck(check, service, group, ordinal)),
  );
  const own = (task?.services ?? []).flatMap((service) =>
    service.checks.map((check) => healthCheck(check, service, group, ordinal)),
  );
  return [...shared, ...own];
}

export function portLabelOf(service: Pick<Service, "portLabel" | "port">, group: TaskGroup): string {
  if (service.portLabel !== undefined) return service.portLabel;
  return group.network.ports.find((port) => port.static !== undefined && port.static === service.port)?.label ?? "";
}

function healthCheck(check: Check, service: Service, group: TaskGroup, ordinal: number): HealthCheck {
  const kills = check.checkRestart !== undefined && check.checkRestart.limit > 0;
  const made: HealthCheck = {
    name: check.name,
    intervalMs: check.intervalMs,
    timeoutMs: check.timeoutMs,
    failuresMax: kills ? (check.checkRestart?.limit ?? 0) : check.failuresBeforeCritical + 1,
    action: kills ? CheckAction.CHECK_ACTION_KILL : CheckAction.CHECK_ACTION_REPORT,
  };
  if (check.checkRestart) made.graceMs = check.checkRestart.graceMs;
  const asked = check.portLabel === undefined && check.port === undefined ? service : check;
  // Where a task can have no ports, a check's number is one inside its network, which the agent asks from there.
  const hasPorts = group.network.mode !== "none" && !isApart(group, ordinal);
  if (check.type !== "script" && !hasPorts && check.port !== undefined) made.loopbackPort = check.port;
  return { ...made, ...probeOf(check, portLabelOf(asked, group)) };
}
