import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** What scripts read to find a cluster on this machine. */
export interface ReadyFile {
  readonly master: { readonly address: string; readonly pid: number };
  readonly agents: readonly {
    readonly id: string;
    readonly name: string;
    readonly address: string;
    readonly pid: number;
  }[];
  readonly frameworks: readonly { readonly name: string; readonly pid: number }[];
  readonly dns: { readonly address: string; readonly domain: string; readonly pid: number };
  readonly dashboard: { readonly url: string; readonly pid: number };
}

/** Written beside and renamed: a reader sees the old or the new, never a part. */
export function writeReadyFile(path: string, content: ReadyFile): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(content)}\n`);
  renameSync(temporary, path);
}

export function removeReadyFile(path: string): void {
  rmSync(path, { force: true });
}
