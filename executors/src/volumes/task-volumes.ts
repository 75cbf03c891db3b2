import type { GroupVolume, TaskSpec, VolumeMount } from "@muster/proto";
import type { CoreConfig, Task } from "../agent/core/model.ts";
import { volumeFolder } from "./folders.ts";

/** A volume as a task finds it. */
export interface TaskVolume {
  /** What its group calls it. */
  readonly name: string;
  /** Absolute path of its folder on the host. */
  readonly folder: string;
  /** Absolute path inside; of a plain process below its working folder. */
  readonly inside: string;
  readonly isReadOnly: boolean;
}

/** Where a task that says nothing finds a volume of its group. */
const folderDefault = "/volumes";

/** The volumes that a task finds: those that it says, or else all of its group. Pure. */
export function taskVolumes({ group, spec }: Task, { dataFolder }: CoreConfig): TaskVolume[] {
  return mountsOf(spec, group.volumes).flatMap(({ volume, destination, readOnly }) => {
    const own = group.volumes.find(({ name }) => name === volume);
    if (own === undefined) return [];
    const folder = volumeFolder(dataFolder, own.volumeId);
    return [{ name: volume, folder, inside: destination, isReadOnly: readOnly }];
  });
}

/** A task of an agent that knew no volumes says nothing of them. */
function mountsOf({ volumeMounts = [] }: Partial<TaskSpec>, volumes: readonly GroupVolume[]): readonly VolumeMount[] {
  if (volumeMounts.length > 0) return volumeMounts;
  return volumes.map(({ name }) => ({ volume: name, destination: `${folderDefault}/${name}`, readOnly: false }));
}

/** What is wrong with where a task wants to find volumes; empty: nothing. Pure. */
export function problemOfMounts(mounts: readonly VolumeMount[], volumes: readonly GroupVolume[]): string {
  if (mounts.length > mountsMax) return `spec.volume_mounts: more than ${mountsMax}`;
  for (const { volume, destination } of mounts) {
    if (!volumes.some(({ name }) => name === volume)) return `spec.volume_mounts: its group has no volume "${volume}"`;
    if (!/^(\/[^/\0]+)+$/.test(destination) || /\/\.{1,2}(\/|$)/.test(destination))
      return `spec.volume_mounts: "${destination}" must be an absolute path without dots`;
  }
  const places = mounts.map(({ destination }) => destination);
  return new Set(places).size < places.length ? "spec.volume_mounts: two have the same destination" : "";
}

const mountsMax = 32;
