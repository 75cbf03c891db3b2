import { type Reader, typed } from "./reader.ts";
import type { Constraint, GroupVolume, HostVolume, OwnVolume, Task, TaskGroup, VolumeMount } from "./types.ts";
import { volumesMax } from "./types.ts";

/** MiB of one volume: a pebibyte. */
export const volumeMiBMax = 1_073_741_824;

export function isVolumeName(text: string): boolean {
  return /^[A-Za-z0-9_-]{1,63}$/.test(text);
}

/** An absolute path without dots. */
export function isMountPlace(text: string): boolean {
  return /^(\/[^/\0]+)+$/.test(text) && !/\/\.{1,2}(\/|$)/.test(text) && text.length <= 4_096;
}

const readVolume = typed((reader): GroupVolume => {
  const name = reader.text("name");
  if (!isVolumeName(name)) reader.fail("name", "must be 1 to 63 letters, digits, dashes and underscores");
  const readOnly = reader.bool("readOnly");
  const type = reader.oneOf("type", ["host", "muster"]);
  if (type === "muster") return { name, type, sizeMiB: reader.integer("sizeMiB", 1, volumeMiBMax), readOnly };
  const source = reader.text("source");
  if (!isVolumeName(source)) reader.fail("source", "must be 1 to 63 letters, digits, dashes and underscores");
  return { name, type, source, readOnly };
});

const readMount = typed((reader): VolumeMount => {
  const destination = reader.text("destination");
  if (!isMountPlace(destination)) reader.fail("destination", "must be an absolute path without dots");
  return { volume: reader.text("volume"), destination, readOnly: reader.bool("readOnly") };
});

export function decodeVolumes(reader: Reader): Pick<TaskGroup, "volumes"> {
  return reader.has("volumes") ? { volumes: reader.list("volumes", volumesMax, readVolume) } : {};
}

export function decodeMounts(reader: Reader): Pick<Task, "volumeMounts"> {
  return reader.has("volumeMounts") ? { volumeMounts: reader.list("volumeMounts", volumesMax, readMount) } : {};
}

/** What is wrong with a group's volumes and who mounts them, and whose fault it is; undefined: nothing. */
export function problemOfVolumes(
  volumes: readonly GroupVolume[],
  tasks: readonly Pick<Task, "name" | "volumeMounts">[],
): { readonly task: string; readonly mount: number; readonly problem: string } | undefined {
  for (const { name, volumeMounts = [] } of tasks) {
    const places = volumeMounts.map(({ destination }) => destination);
    for (const [mount, { volume, destination }] of volumeMounts.entries()) {
      const own = volumes.find((one) => one.name === volume);
      if (!own) return { task: name, mount, problem: `its group has no volume "${volume}"` };
      if (places.indexOf(destination) < mount) return { task: name, mount, problem: `two are at ${destination}` };
    }
  }
  return undefined;
}

/** Volumes that are made for each instance of a group. */
export function ownVolumes({ volumes = [] }: Pick<TaskGroup, "volumes">): readonly OwnVolume[] {
  return volumes.filter((volume) => volume.type === "muster");
}

/** Where a task finds the volumes that are made for its instance, in the contract's words: nowhere else. */
export function ownMounts(group: TaskGroup, { volumeMounts = [] }: Task) {
  const own = ownVolumes(group);
  const named = volumeMounts.flatMap((mount) => {
    const volume = own.find(({ name }) => name === mount.volume);
    if (!volume) return [];
    return [{ volume: volume.name, destination: mount.destination, readOnly: isReadOnly(volume, mount) }];
  });
  return { volumeMounts: named, onlyNamedVolumes: own.length > 0 };
}

/** Agents that have the host volumes of a group, as its tasks use them. */
export function volumeConstraints({ volumes = [], tasks }: TaskGroup): Constraint[] {
  return volumes.filter(isOfHost).map((volume) => {
    const attribute = `\${attr.host_volume.${volume.source}}`;
    const isWritten = tasks.some(({ volumeMounts = [] }) =>
      volumeMounts.some((mount) => mount.volume === volume.name && !isReadOnly(volume, mount)),
    );
    return isWritten ? { attribute, operator: "=", value: "rw" } : { attribute, operator: "is_set", value: "" };
  });
}

/** Where a task finds folders of its host, in the contract's words. */
export function hostMounts({ volumes = [] }: TaskGroup, { volumeMounts = [] }: Task) {
  return volumeMounts.flatMap((mount) => {
    const volume = volumes.find(({ name }) => name === mount.volume);
    if (!volume || !isOfHost(volume)) return [];
    const { source, name } = volume;
    return [{ source, volume: name, destination: mount.destination, readOnly: isReadOnly(volume, mount) }];
  });
}

function isReadOnly(volume: GroupVolume, mount: VolumeMount): boolean {
  return volume.readOnly || mount.readOnly;
}

function isOfHost(volume: GroupVolume): volume is HostVolume {
  return volume.type === "host";
}
