import { createHash } from "node:crypto";
import { promises as fs } from "node:fs";
import { runTool } from "./run-tool.ts";

const folder = "/run/netns";
/** What statfs says of a pinned namespace. */
const nsfs = 0x6e736673;

/**
 * The network namespaces of one agent's groups, pinned under names that other agents of the host do not use. The pin keeps
 * a namespace alive without a process in it.
 */
export class Namespaces {
  /** What names of this agent's kernel objects have in common. */
  readonly owner: string;

  constructor(dataFolder: string) {
    this.owner = createHash("sha256").update(dataFolder).digest("hex").slice(0, 8);
  }

  nameOf(key: string): string {
    return `muster-${this.owner}-${key}`;
  }

  pathOf(key: string): string {
    return `${folder}/${this.nameOf(key)}`;
  }

  /** True if it was there already. A plain file at its place is what a crash between two steps has left. */
  async ensure(key: string): Promise<boolean> {
    const path = this.pathOf(key);
    const kind = await fs.statfs(path).catch(() => undefined);
    if (kind?.type === nsfs) return true;
    if (kind) await fs.unlink(path);
    await runTool("ip", ["netns", "add", this.nameOf(key)]);
    return false;
  }

  /** Doing it twice is harmless. */
  async remove(key: string): Promise<void> {
    const path = this.pathOf(key);
    const kind = await fs.statfs(path).catch(() => undefined);
    if (kind?.type === nsfs) await runTool("ip", ["netns", "del", this.nameOf(key)]);
    else if (kind) await fs.unlink(path);
  }

  /** Keys of all groups that have a pin, whole or not. */
  async keys(): Promise<string[]> {
    const names = await fs.readdir(folder).catch(() => [] as string[]);
    const prefix = this.nameOf("");
    return names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  }
}
