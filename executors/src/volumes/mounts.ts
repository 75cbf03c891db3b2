import { lstatSync, mkdirSync, readlinkSync, symlinkSync } from "node:fs";
import { dirname } from "node:path";
import type { ProcSpec } from "../world/proc.ts";

/** The volumes of a container that can be written to, or those that can only be read: [of the host, inside]. */
export function volumesOf({ volumes = [] }: ProcSpec, isReadOnly: boolean): (readonly [string, string])[] {
  return volumes.filter((one) => one.isReadOnly === isReadOnly).map(({ folder, inside }) => [folder, inside] as const);
}

/** Links to volumes below the folder of a plain process. Throws if something else is in the way. */
export function linkVolumes({ volumes = [] }: ProcSpec, workFolder: string): void {
  for (const { folder, inside } of volumes) {
    const place = `${workFolder}${inside}`;
    const found = lstatSync(place, { throwIfNoEntry: false });
    // Its earlier attempts have it already.
    if (found?.isSymbolicLink() && readlinkSync(place) === folder) continue;
    if (found) throw new Error(`volume at ${inside}: something is there already in the task's folder`);
    mkdirSync(dirname(place), { recursive: true, mode: 0o755 });
    symlinkSync(folder, place);
  }
}
