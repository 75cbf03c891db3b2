import { createHash } from "node:crypto";
import { promises as fs } from "node:fs";
import type { IpBatch } from "./ip-batch.ts";

const folder = "/run/netns";
/** What statfs says of a pinned namespace. */
const nsfs = 0x6e736673;

/** What names of an agent's kernel objects have in common: other agents of the host have other folders. */
export function ownerOf(dataFolder: string): string {
  return createHash("sha256").update(dataFolder).digest("hex").slice(0, 8);
}

/**
 * The network namespaces of one agent's groups, pinned under names that other agents of the host do not use. The pin keeps
 * a namespace alive without a process in it.
 */
export class Namespaces {
  readonly owner: string;
  readonly #ip: IpBatch;

  constructor(dataFolder: string, ip: IpBatch) {
    this.owner = ownerOf(dataFolder);
    this.#ip = ip;
  }

  nameOf(key: string): string {
    return `muster-${this.owner}-${key}`;
  }

  pathOf(key: string): string {
    return `${folder}/${this.nameOf(key)}`;
  }

  /**
   * Makes it if it is not there, and runs these lines of `ip` afterwards, in one batch. True if it was there already. A
   * plain file at its place is what a crash between two steps has left.
   */
  async ensure(key: string, lines: readonly string[] = []): Promise<boolean> {
    const path = this.pathOf(key);
    const kind = await fs.statfs(path).catch(() => undefined);
    const isThere = kind?.type === nsfs;
    if (kind && !isThere) await fs.unlink(path);
    await this.#ip.run(isThere ? lines : [`netns add ${this.nameOf(key)}`, ...lines]);
    return isThere;
  }

  /** Doing it twice is harmless. */
  async remove(key: string): Promise<void> {
    const path = this.pathOf(key);
    const kind = await fs.statfs(path).catch(() => undefined);
    if (kind?.type === nsfs) await this.#ip.run([`netns del ${this.nameOf(key)}`]);
    else if (kind) await fs.unlink(path);
  }

  /** Keys of all groups that have a pin, whole or not. */
  async keys(): Promise<string[]> {
    const names = await fs.readdir(folder).catch(() => [] as string[]);
    const prefix = this.nameOf("");
    return names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  }
}
