import type { AssignedPort } from "@muster/proto";
import type { NetSpec } from "../../world/nets.ts";
import type { ProcNetwork } from "../../world/proc.ts";
import { apartFolder, netFolder } from "../folders.ts";
import { asHostname } from "./hostnames.ts";
import type { Group, Task } from "./model.ts";
import { settingsAt } from "./places.ts";
import { namespaceOf, networkOwner, networkOwners } from "./task-networks.ts";

/** What is to be made for a group; the same after every restart. */
export function netSpec(group: Group): NetSpec {
  const { key, networkMode: mode, addressIndex, subnets, assigned, network, more } = group;
  const [first] = group.tasks;
  const settings = { ...network, hostname: network.hostname || (first ? hostnameOf(first) : "") };
  const owners = networkOwners(group);
  const apart = owners.map((at) => ({ index: at, hostname: hostnameOf(group.tasks[at] as Task) }));
  const own = { key, mode, addressIndex, subnets, settings, ...(apart.length > 0 ? { apart } : {}) };
  if (more.length === 0) return { ...own, ports: assigned };
  const portsAt = (index: number): AssignedPort[] => assigned.filter((port) => (port.network ?? 0) === index);
  const further = more.map((place, at) => ({
    mode: place.mode,
    addressIndex: place.addressIndex,
    subnets: place.subnets,
    ports: portsAt(at + 1),
    settings: settingsAt(settings, place),
  }));
  return { ...own, ports: portsAt(0), more: further };
}

/** The id of a task, as far as it can be a host name. */
function hostnameOf({ info, group }: Task): string {
  return asHostname(info.taskId.replaceAll(".", "-")) || `group-${group.key}`;
}

/** The group's own addresses; none if it uses the host's. */
export function ownIps(group: Group): readonly string[] {
  return group.net.name === "ready" ? group.net.ips : [];
}

/** What a task is to join; undefined: the host's network. */
export function procNetwork(task: Task, dataFolder: string): ProcNetwork | undefined {
  const { group } = task;
  const namespace = namespaceOf(task);
  if (namespace === undefined) return undefined;
  const owner = networkOwner(task);
  const filesFolder = netFolder(dataFolder, group.key);
  if (!owner) return { namespace, hostname: netSpec(group).settings.hostname, filesFolder };
  return { namespace, hostname: hostnameOf(owner), filesFolder: apartFolder(filesFolder, group.tasks.indexOf(owner)) };
}
