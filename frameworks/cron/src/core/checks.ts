import { CheckAction, type HealthCheck } from "@muster/framework-sdk";
import { type Check, isApart, type Service, type TaskGroup } from "@muster/jobspecs";

/** The group's task whose services are the group's: its leader, else its first main task. */
export function mainTask(group: TaskGroup): number {
  const leader = group.tasks.findIndex((task) => task.leader);
  const main = group.tasks.findIndex((task) => task.lifecycle === undefined);
  return Math.max(0, leader < 0 ? main : leader);
}

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
  return { ...made, ...probe(check, portLabelOf(asked, group)) };
}

function probe(check: Check, portLabel: string): Pick<HealthCheck, "http" | "tcp" | "grpc" | "script"> {
  switch (check.type) {
    case "tcp":
      return { tcp: { portLabel } };
    case "http": {
      const { path, method, protocol: scheme, body, tlsSkipVerify, tlsServerName } = check;
      const headers = Object.fromEntries(
        Object.entries(check.headers).map(([name, values]) => [name, values.join(", ")]),
      );
      return { http: { portLabel, path, method, headers, scheme, body, tlsSkipVerify, tlsServerName } };
    }
    case "grpc": {
      const { service: name, tls, tlsSkipVerify, tlsServerName } = check;
      return { grpc: { portLabel, service: name, tls, tlsSkipVerify, tlsServerName } };
    }
    case "script":
      return { script: { command: check.command, arguments: [...check.args] } };
  }
}
