import type { AssignedPort } from "@muster/proto";
import type { NetSpec } from "../../world/nets.ts";
import type { ProcNetwork } from "../../world/proc.ts";
import { netFolder } from "../folders.ts";
import type { Group } from "./model.ts";
import { settingsAt } from "./places.ts";

/** Characters of a host name, by its definition. */
const hostnameLengthMax = 63;

/** What is to be made for a group; the same after every restart. */
export function netSpec(group: Group): NetSpec {
  const { key, networkMode: mode, addressIndex, subnets, assigned, network, more } = group;
  const settings = { ...network, hostname: network.hostname || hostnameOf(group) };
  if (more.length === 0) return { key, mode, addressIndex, subnets, ports: assigned, settings };
  const portsAt = (index: number): AssignedPort[] => assigned.filter((port) => (port.network ?? 0) === index);
  const further = more.map((place, at) => ({
    mode: place.mode,
    addressIndex: place.addressIndex,
    subnets: place.subnets,
    ports: portsAt(at + 1),
    settings: settingsAt(settings, place),
  }));
  return { key, mode, addressIndex, subnets, ports: portsAt(0), settings, more: further };
}

/** The id of the first task, as far as it can be a host name. */
function hostnameOf(group: Group): string {
  const text = (group.tasks[0]?.info.taskId ?? "").replace(/[^A-Za-z0-9]+/g, "-").slice(0, hostnameLengthMax);
  return text.replace(/^-+|-+$/g, "") || `group-${group.key}`;
}

/** The group's own addresses; none if it uses the host's. */
export function ownIps(group: Group): readonly string[] {
  return group.net.name === "ready" ? group.net.ips : [];
}

/** What a task of the group is to join; undefined: the host's network. */
export function procNetwork(group: Group, dataFolder: string): ProcNetwork | undefined {
  if (group.net.name !== "ready") return undefined;
  return {
    namespace: group.net.namespace,
    hostname: netSpec(group).settings.hostname,
    filesFolder: netFolder(dataFolder, group.key),
  };
}
