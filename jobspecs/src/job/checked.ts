import type { Check, TaskGroup } from "./types.ts";

/** The group's task whose services are the group's: its leader, else its first main task. */
export function mainTask(group: TaskGroup): number {
  const leader = group.tasks.findIndex((task) => task.leader);
  const main = group.tasks.findIndex((task) => task.lifecycle === undefined);
  return Math.max(0, leader < 0 ? main : leader);
}

/** What a check asks, in the contract's words (`HealthCheck`). */
export function probeOf(check: Check, portLabel: string) {
  switch (check.type) {
    case "tcp":
      return { tcp: { portLabel } };
    case "http": {
      const { path, method, protocol: scheme, body, tlsSkipVerify, tlsServerName } = check;
      const headers: Record<string, string> = {};
      for (const [name, values] of Object.entries(check.headers)) headers[name] = values.join(", ");
      return { http: { portLabel, path, method, headers, scheme, body, tlsSkipVerify, tlsServerName } };
    }
    case "grpc": {
      const { service, tls, tlsSkipVerify, tlsServerName } = check;
      return { grpc: { portLabel, service, tls, tlsSkipVerify, tlsServerName } };
    }
    case "script":
      return { script: { command: check.command, arguments: [...check.args] } };
  }
}
