import { chownSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { TaskSpec } from "@muster/proto";
import type { GivenFile } from "../world/proc.ts";

/** What a task's description has it find in its local folder. */
export function givenFiles({ dispatchPayload }: TaskSpec): { files?: readonly GivenFile[] } {
  if (!dispatchPayload) return {};
  return { files: [{ path: dispatchPayload.file, contentBase64: dispatchPayload.contentBase64 }] };
}

/**
 * Writes files into a task's local folder, which nothing has run in yet: what has could have left links there that lead
 * elsewhere. Throws as the file system does.
 */
export function writeGivenFiles(
  files: readonly GivenFile[],
  localFolder: string,
  account: { readonly uid: number; readonly gid: number } | undefined,
): void {
  for (const { path, contentBase64 } of files) {
    const place = `${localFolder}/${path}`;
    mkdirSync(dirname(place), { recursive: true, mode: 0o755 });
    writeFileSync(place, Buffer.from(contentBase64, "base64"), { mode: 0o644 });
    if (!account) continue;
    for (let at = place; at.length > localFolder.length; at = dirname(at)) chownSync(at, account.uid, account.gid);
  }
}
