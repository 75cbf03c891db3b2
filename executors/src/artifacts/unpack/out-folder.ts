import { constants, promises as fs } from "node:fs";
import { dirname, join } from "node:path";
import { FetchFailure } from "../fetcher/fetch-failure.ts";
import type { ArtifactLimits } from "../limits.ts";

/** Names within each other in a path of an archive. */
const namesMax = 100;
const pathBytesMax = 4_096;
/** Rights beyond reading, writing and running: as another account, or as a group. */
const setIdBits = 0o6000;

/**
 * A folder that an archive is unpacked into: nothing gets out of it, and no more into it than the limits say. No member
 * goes through a link, since each folder on its way is one that was made here.
 */
export class OutFolder {
  readonly path: string;
  readonly #limits: Pick<ArtifactLimits, "unpackedBytesMax" | "unpackedFilesMax">;
  readonly #folders = new Set<string>([""]);
  #bytes = 0;
  #count = 0;

  constructor(path: string, limits: Pick<ArtifactLimits, "unpackedBytesMax" | "unpackedFilesMax">) {
    this.path = path;
    this.#limits = limits;
  }

  /** Takes account of so many bytes, before or while they are written. */
  take(bytes: number): void {
    this.#bytes += bytes;
    const { unpackedBytesMax } = this.#limits;
    if (this.#bytes > unpackedBytesMax)
      throw new FetchFailure(`unpacked it has more than ${unpackedBytesMax} bytes (unpacked_bytes_max)`);
  }

  async folder(name: string): Promise<void> {
    const inside = this.#enter(name);
    if (inside !== "") await this.#makeFolder(inside);
  }

  async file(name: string, mode: number, content: AsyncIterable<Buffer>): Promise<void> {
    const inside = this.#enter(name);
    if (inside === "") throw new FetchFailure(`archive: "${name}" is no name of a file`);
    if ((mode & setIdBits) !== 0)
      throw new FetchFailure(`archive: "${name}" would run with the rights of another (setuid or setgid)`);
    const place = await this.#clear(inside);
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const handle = await fs.open(place, flags, 0o600);
    try {
      for await (const chunk of content) {
        this.take(chunk.length);
        // From where the last piece has ended.
        await handle.writeFile(chunk);
      }
      await handle.chmod((mode & 0o777) | 0o600);
    } finally {
      await handle.close();
    }
  }

  async link(name: string, target: string): Promise<void> {
    const inside = this.#enter(name);
    if (inside === "" || target === "" || target.includes("\0") || Buffer.byteLength(target) >= pathBytesMax)
      throw new FetchFailure(`archive: "${name}" is no link`);
    await fs.symlink(target, await this.#clear(inside));
  }

  /** The name of a member as a path below this folder. */
  #enter(name: string): string {
    const { unpackedFilesMax } = this.#limits;
    if (++this.#count > unpackedFilesMax)
      throw new FetchFailure(`it holds more than ${unpackedFilesMax} files (unpacked_files_max)`);
    if (name.startsWith("/")) throw new FetchFailure(`archive: "${name}" is an absolute path`);
    if (name.includes("\0") || Buffer.byteLength(name) >= pathBytesMax)
      throw new FetchFailure("archive: a name is longer than a path can be, or holds a zero byte");
    const names = name.split("/").filter((part) => part !== "" && part !== ".");
    if (names.includes("..")) throw new FetchFailure(`archive: "${name}" leads out of it`);
    if (names.length > namesMax) throw new FetchFailure(`archive: "${name}" has more than ${namesMax} names`);
    return names.join("/");
  }

  async #makeFolder(inside: string): Promise<void> {
    if (this.#folders.has(inside)) return;
    const above = inside.includes("/") ? dirname(inside) : "";
    await this.#makeFolder(above);
    await fs.mkdir(join(this.path, inside)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
      throw new FetchFailure(`archive: "${inside}" is a folder, and something else, too`);
    });
    this.#folders.add(inside);
  }

  /** Makes room for a member; a later one of the same name stands in for the earlier. */
  async #clear(inside: string): Promise<string> {
    if (this.#folders.has(inside)) throw new FetchFailure(`archive: "${inside}" is a folder, and something else, too`);
    if (inside.includes("/")) await this.#makeFolder(dirname(inside));
    const place = join(this.path, inside);
    await fs.rm(place, { force: true });
    return place;
  }
}
