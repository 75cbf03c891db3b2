import { promises as fs } from "node:fs";
import { taskFolders } from "../agent/folders.ts";
import { volumeFolder } from "../volumes/folders.ts";
import { type DiskMeter, type DiskQuestion, type DiskUse, volumeIdOf } from "../world/disk-meter.ts";
import { folderUse, type Place } from "./folder-use.ts";
import { type LastLook, planLooks } from "./plan-looks.ts";

const mebibyte = 1024 * 1024;

/**
 * Measures by going through files, since an ordinary disk keeps no account of who has filled it (quotas by project take a
 * disk that was made for them). While the disk does not fill that costs one call to the kernel and the files of one task.
 */
export function nodeDiskMeter(dataFolder: string): DiskMeter {
  const known = new Map<string, LastLook>();
  let turn = 0;
  const measure = async (questions: readonly DiskQuestion[]): Promise<DiskUse[]> => {
    const wanted = new Set(questions.map(({ id }) => id));
    for (const id of known.keys()) if (!wanted.has(id)) known.delete(id);
    const { bavail, bsize } = await fs.statfs(dataFolder);
    const freeBytes = bavail * bsize;
    const asked = questions.map(({ id, limitMiB }) => ({ id, limitBytes: limitMiB * mebibyte }));
    const found: DiskUse[] = [];
    for (const id of planLooks(asked, known, freeBytes, turn++)) {
      const { usedBytes, largest } = await folderUse(placesOf(dataFolder, id));
      known.set(id, { usedBytes, freeBytes });
      found.push({ id, usedMiB: Math.ceil(usedBytes / mebibyte), largest });
    }
    return found;
  };
  return {
    measure: (questions, done) => {
      measure(questions).then(done, () => done([]));
    },
  };
}

/** Not its output: that has limits of its own. */
function placesOf(dataFolder: string, id: string): Place[] {
  const volumeId = volumeIdOf(id);
  if (volumeId !== undefined) return [[volumeFolder(dataFolder, volumeId), ""]];
  const { work, shared, task } = taskFolders(dataFolder, id);
  return [
    [work, "/"],
    [shared, "/alloc"],
    [`${task}/oci/upper`, "/"],
  ];
}
