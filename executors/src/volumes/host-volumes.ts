import { statSync } from "node:fs";
import { isAbsolute, normalize } from "node:path";
import { invalid } from "@muster/foundation";
import type { Attribute, TaskSpec, Unavailable } from "@muster/proto";

/** A folder of the host that jobs may name: its operator has said so. */
export interface HostVolume {
  readonly name: string;
  /** Absolute. */
  readonly folder: string;
  /** No task may write to it. */
  readonly isReadOnly: boolean;
}

export const hostVolumesMax = 64;
/** What attributes that name them begin with; the value says how they may be used: "rw" or "ro". */
export const hostVolumePrefix = "host_volume.";
const example = "data=/srv/data,certs=/etc/ssl/certs:ro";

/** Reads "NAME=FOLDER" or "NAME=FOLDER:ro", several with commas in between; `field` names it in errors. Pure. */
export function parseHostVolumes(text: string, field: string): HostVolume[] {
  const parts = text.split(",").filter((part) => part.trim() !== "");
  if (parts.length > hostVolumesMax) throw invalid(field, `at most ${hostVolumesMax} volumes`);
  const volumes = parts.map((part): HostVolume => {
    const [, name = "", folder = "", mode] = /^([A-Za-z0-9_-]{1,63})=(\/.*?)(:ro|:rw)?$/.exec(part.trim()) ?? [];
    if (name === "" || !isAbsolute(folder) || normalize(folder) !== folder || folder.includes(":"))
      throw invalid(field, `"${part.trim()}" is not NAME=FOLDER or NAME=FOLDER:ro; an example is ${example}`);
    return { name, folder, isReadOnly: mode === ":ro" };
  });
  const twice = volumes.find(({ name }, index) => volumes.findIndex((other) => other.name === name) < index);
  if (twice) throw invalid(field, `"${twice.name}" is named twice`);
  return volumes;
}

/** Those that are there, and what the others lack. */
export function findHostVolumes(declared: readonly HostVolume[]): {
  readonly volumes: HostVolume[];
  readonly lacking: Unavailable[];
} {
  const volumes = declared.filter(({ folder }) => statSync(folder, { throwIfNoEntry: false })?.isDirectory());
  const lacking = declared
    .filter((one) => !volumes.includes(one))
    .map(({ name, folder }) => ({
      name: `host-volume/${name}`,
      reason: `${folder} is no folder of this host; make it`,
    }));
  return { volumes, lacking };
}

export function hostVolumeAttributes(volumes: readonly HostVolume[]): Attribute[] {
  return volumes.map(({ name, isReadOnly }) => ({
    name: `${hostVolumePrefix}${name}`,
    value: isReadOnly ? "ro" : "rw",
  }));
}

/** Why a task can't have the folders of the host that it names here; undefined: it can. Pure. */
export function hostMountFault(
  { hostMounts = [] }: Partial<TaskSpec>,
  volumes: ReadonlyMap<string, HostVolume>,
): string | undefined {
  for (const { source, readOnly } of hostMounts) {
    const volume = volumes.get(source);
    if (!volume) return `host volume "${source}" is not declared on this agent`;
    if (volume.isReadOnly && !readOnly)
      return `host volume "${source}" may only be read on this agent; say read_only = true`;
  }
  return undefined;
}
