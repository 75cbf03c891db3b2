import type { Attribute, PortRequest } from "@muster/proto";
import type { HostNetwork } from "../../world/host-ports.ts";
import type { AgentState } from "./model.ts";

/** What attributes that name networks of the host begin with; the value is the address. */
const prefix = "host_network.";

/** The host's networks are these now. What tasks have been given stays theirs. */
export function setHostNetworks(state: AgentState, networks: readonly HostNetwork[]): void {
  state.hostNetworks.clear();
  for (const { name, ip } of networks) state.hostNetworks.set(name, ip);
}

/** The address that a port is to be open on; "": every one. Undefined: the host has no network of that name. */
export function hostAddress(state: AgentState, { hostNetwork }: PortRequest): string | undefined {
  return hostNetwork === "" ? "" : state.hostNetworks.get(hostNetwork);
}

/** The agent's attributes, with the networks that the host has now. */
export function withHostNetworks(attributes: readonly Attribute[], networks: ReadonlyMap<string, string>): Attribute[] {
  const others = attributes.filter(({ name }) => !name.startsWith(prefix));
  return [...others, ...[...networks].map(([name, ip]) => ({ name: `${prefix}${name}`, value: ip }))];
}
