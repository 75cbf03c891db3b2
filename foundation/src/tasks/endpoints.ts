import type { ServiceEndpoint, TaskRecord } from "@muster/proto";

/** Where one name of a task is reached: at the host's address if its port is open there, else at its own. Port 0: none. */
export function addressOfEndpoint(
  { agentIp, status }: Pick<TaskRecord, "agentIp" | "status">,
  { portLabel }: Pick<ServiceEndpoint, "portLabel">,
): { readonly address: string; readonly port: number } {
  const { ips = [], ports = [], networks = [] } = status?.container ?? {};
  const port = portLabel === "" ? undefined : ports.find(({ label }) => label === portLabel);
  if (!port) return { address: ips[0] ?? agentIp, port: 0 };
  if (port.number > 0) return { address: isEvery(port.ip) ? agentIp : port.ip, port: port.number };
  const { network = 0 } = port;
  const own = network === 0 ? ips : (networks[network]?.ips ?? []);
  return { address: own[0] ?? agentIp, port: port.to };
}

/** Open on every address of the host. */
function isEvery(ip: string): boolean {
  return ip === "" || ip === "0.0.0.0" || ip === "::";
}
