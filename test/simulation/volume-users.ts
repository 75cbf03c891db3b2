import { type SimCluster, type Violation, violation } from "@muster/testing";

/** A task that lives has its volumes under it, and no other task of its host has them too. O(commands that live). */
export function volumesHaveOneUser({ agents }: SimCluster): Violation[] {
  return agents.flatMap((host) => {
    const users = host.processes.alive().flatMap(({ spec }) => (spec.volumes ?? []).map(({ folder }) => folder));
    const ids = users.map((folder) => folder.slice(folder.lastIndexOf("/") + 1));
    return [
      ...ids.filter((id) => !host.volumes.here.has(id)).map((id) => violation("volume-gone", host.name, id)),
      ...ids.filter((id, at) => ids.indexOf(id) !== at).map((id) => violation("volume-shared", host.name, id)),
    ];
  });
}
