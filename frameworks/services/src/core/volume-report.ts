import { type ClusterAgent, type JobVolume, JobVolumeState } from "@muster/framework-sdk";
import { type JobEntry, type KeptVolume, slotKey } from "./model.ts";

/** Volumes that one answer lists. */
const volumesListedMax = 1_000;

/** What is kept for a job's places, in their order. O(volumes of the job). */
export function jobVolumes(entry: JobEntry, agents: ReadonlyMap<string, ClusterAgent>): JobVolume[] {
  const used = new Set<string>();
  for (const { group, index } of entry.instances.values()) used.add(slotKey(group, index));
  const inOrder = [...entry.volumes.values()].flat().sort((a, b) => compare(a, b));
  return inOrder.slice(0, volumesListedMax).map(({ record, isMade }) => {
    const { group, index, name, volumeId, agentId, agentName, diskMiB } = record;
    const isUsed = used.has(slotKey(group, index));
    return {
      instance: `${entry.name}.${group}.${index}`,
      name,
      volumeId,
      agentId,
      agentName: agents.get(agentId)?.name ?? agentName,
      diskMiB,
      state: isUsed
        ? JobVolumeState.JOB_VOLUME_STATE_USED
        : isMade
          ? JobVolumeState.JOB_VOLUME_STATE_KEPT
          : JobVolumeState.JOB_VOLUME_STATE_PLANNED,
    };
  });
}

function compare({ record: a }: KeptVolume, { record: b }: KeptVolume): number {
  if (a.group !== b.group) return a.group < b.group ? -1 : 1;
  return a.index - b.index || (a.name < b.name ? -1 : 1);
}
