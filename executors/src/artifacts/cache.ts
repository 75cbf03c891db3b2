import { chmodSync, promises as fs, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Checksum } from "@muster/foundation";
import { type KeptDownload, planEviction } from "./plan-eviction.ts";

/**
 * Downloads whose sum is known, as they came, for the next task that wants the same. Only the agent has to do with it:
 * whoever is given one is given a copy, and makes sure of its sum.
 */
export class DownloadCache {
  readonly #folder: string;
  readonly #bytesMax: number;

  constructor(folder: string, bytesMax: number) {
    this.#folder = folder;
    this.#bytesMax = bytesMax;
  }

  /** Copies it to a path, where it is kept; false: it is not. */
  async take(sum: Checksum | undefined, path: string): Promise<boolean> {
    const name = nameOf(sum);
    if (name === undefined) return false;
    const kept = join(this.#folder, name);
    try {
      await fs.copyFile(kept, path, fs.constants.COPYFILE_FICLONE);
      const now = new Date();
      await fs.utimes(kept, now, now);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
      throw error;
    }
  }

  /** Keeps a copy, and gives up what was not wanted for the longest time. What is larger than all of it is not kept. */
  async keep(sum: Checksum | undefined, path: string): Promise<void> {
    const name = nameOf(sum);
    if (name === undefined || (await fs.stat(path)).size > this.#bytesMax) return;
    mkdirSync(this.#folder, { recursive: true });
    chmodSync(this.#folder, 0o700);
    const under = join(this.#folder, `${name}.new`);
    await fs.copyFile(path, under, fs.constants.COPYFILE_FICLONE);
    await fs.rename(under, join(this.#folder, name));
    for (const gone of planEviction(await this.#list(), this.#bytesMax)) await this.#remove(gone);
  }

  /** It was not what its sum says. */
  async forget(sum: Checksum | undefined): Promise<void> {
    const name = nameOf(sum);
    if (name !== undefined) await this.#remove(name);
  }

  async #remove(name: string): Promise<void> {
    await fs.rm(join(this.#folder, name), { force: true });
  }

  async #list(): Promise<KeptDownload[]> {
    const names = await fs.readdir(this.#folder);
    const found = await Promise.all(
      names.map(async (name) => {
        const stats = await fs.stat(join(this.#folder, name)).catch(() => undefined);
        return stats ? [{ name, bytes: stats.size, usedAtMs: stats.mtimeMs }] : [];
      }),
    );
    return found.flat();
  }
}

/** A sum that stands in a file of its own may be another tomorrow. */
function nameOf(sum: Checksum | undefined): string | undefined {
  return sum === undefined || sum.kind === "file" ? undefined : `${sum.kind}-${sum.hex}`;
}
