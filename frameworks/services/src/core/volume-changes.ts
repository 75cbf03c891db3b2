import { type ClusterAgent, MusterError } from "@muster/framework-sdk";
import type { Job } from "@muster/jobspecs";
import type { JobEntry, KeptVolume } from "./model.ts";
import { slotsOf } from "./slots.ts";

/** Volumes that one call may give up: they are one write of State, with what else it changes. */
export const wipedMax = 100;

/** A volume's disk is set aside for a role: a job that has some can't be another's. Throws `wrong-state`. */
export function refuseOtherRole(present: JobEntry | undefined, wanted: Job): void {
  for (const [one] of present?.volumes.values() ?? [])
    if (one && one.record.role !== wanted.role)
      throw new MusterError(
        "wrong-state",
        `the volumes of job ${wanted.id} are set aside for role ${one.record.role}, not ${wanted.role}: run muster job stop --wipe ${wanted.id} first`,
        { field: "job.role" },
      );
}

/** Volumes of the places of a group that a job with another count does not want. Throws `too-many`. O(instances). */
export function surplusVolumes(
  entry: JobEntry,
  job: Job,
  groupName: string,
  agents: ReadonlyMap<string, ClusterAgent>,
): readonly KeptVolume[] {
  const group = job.groups.find(({ name }) => name === groupName);
  if (group === undefined) return [];
  const instances = [...entry.instances.values()].filter((one) => one.group === groupName);
  const kept = new Set(slotsOf(entry, group, agents, instances).map(({ index }) => index));
  const surplus = [...entry.volumes.values()]
    .flat()
    .filter(({ record }) => record.group === groupName && !kept.has(record.index));
  if (surplus.length > wipedMax)
    throw new MusterError(
      "too-many",
      `${surplus.length} volumes would be removed, at most ${wipedMax} can be by one call: scale in smaller steps`,
      { field: "count" },
    );
  return surplus;
}
