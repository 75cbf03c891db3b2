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

/** The volumes that a task finds: those that it names, or all of its group unless it says that it names them. Pure. */
export function taskVolumes({ group, spec }: Task, { dataFolder, hostVolumes }: CoreConfig): TaskVolume[] {
  // A task of an agent that knew none says nothing of them.
  const { hostMounts = [] }: Partial<TaskSpec> = spec;
  const ofHost = hostMounts.flatMap(({ source, volume, destination, readOnly }) => {
    const own = hostVolumes.get(source);
    return own ? [{ name: volume, folder: own.folder, inside: destination, isReadOnly: readOnly }] : [];
  });
  const ofGroup = mountsOf(spec, group.volumes).flatMap(({ volume, destination, readOnly }) => {
    const own = group.volumes.find(({ name }) => name === volume);
    if (own === undefined) return [];
    const folder = volumeFolder(dataFolder, own.volumeId);
    return [{ name: volume, folder, inside: destination, isReadOnly: readOnly }];
  });
  return [...ofGroup, ...ofHost];
}

/** A task of an agent that knew no volumes says nothing of them. */
function mountsOf(
  { volumeMounts = [], onlyNamedVolumes = false }: Partial<TaskSpec>,
  volumes: readonly GroupVolume[],
): readonly VolumeMount[] {
  if (volumeMounts.length > 0 || onlyNamedVolumes) return volumeMounts;
  return volumes.map(({ name }) => ({ volume: name, destination: `${folderDefault}/${name}`, readOnly: false }));
}

/** What is wrong with where a task wants to find volumes; empty: nothing. Pure. */
export function problemOfMounts(
  { volumeMounts, hostMounts }: Pick<TaskSpec, "volumeMounts" | "hostMounts">,
  volumes: readonly GroupVolume[],
): string {
  if (volumeMounts.length > mountsMax) return `spec.volume_mounts: more than ${mountsMax}`;
  if (hostMounts.length > mountsMax) return `spec.host_mounts: more than ${mountsMax}`;
  const stranger = volumeMounts.find(({ volume }) => !volumes.some(({ name }) => name === volume));
  if (stranger) return `spec.volume_mounts: its group has no volume "${stranger.volume}"`;
  const nameless = hostMounts.find(({ volume }) => !/^[A-Za-z0-9_-]{1,64}$/.test(volume));
  if (nameless) return `spec.host_mounts: "${nameless.volume}" must be 1 to 64 letters, digits, dashes and underscores`;
  const places = new Set<string>();
  for (const [field, mounts] of [
    ["spec.volume_mounts", volumeMounts],
    ["spec.host_mounts", hostMounts],
  ] as const)
    for (const { destination } of mounts) {
      if (!/^(\/[^/\0]+)+$/.test(destination) || /\/\.{1,2}(\/|$)/.test(destination))
        return `${field}: "${destination}" must be an absolute path without dots`;
      if (places.has(destination)) return `${field}: two have the same destination`;
      places.add(destination);
    }
  return "";
}

const mountsMax = 32;
