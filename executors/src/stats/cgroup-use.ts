import { readText } from "./read-text.ts";

/** What control groups tell; undefined where none of them knows. */
export interface GroupUse {
  readonly cpuNs: number | undefined;
  readonly memoryBytes: number | undefined;
}

/** Reads the task's own groups, of version 1 or 2, by their folders. */
export async function readGroupUse(folders: readonly string[]): Promise<GroupUse> {
  let cpuNs: number | undefined;
  let memoryBytes: number | undefined;
  for (const folder of folders) {
    cpuNs ??= numberOf(await readText(`${folder}/cpuacct.usage`));
    const stat = await readText(`${folder}/cpu.stat`);
    const usec = numberOf(/^usage_usec (\d+)$/m.exec(stat ?? "")?.[1]);
    if (usec !== undefined) cpuNs ??= usec * 1_000;
    const used =
      numberOf(await readText(`${folder}/memory.current`)) ??
      numberOf(await readText(`${folder}/memory.usage_in_bytes`));
    if (used === undefined) continue;
    // Files that were read stay in memory until somebody needs the room: that is not use.
    const cache = /^(?:total_)?inactive_file (\d+)$/m.exec((await readText(`${folder}/memory.stat`)) ?? "")?.[1];
    memoryBytes ??= Math.max(0, used - Number(cache ?? 0));
  }
  return { cpuNs, memoryBytes };
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+\s*$/.test(text) ? Number(text) : undefined;
}
