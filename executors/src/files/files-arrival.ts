import { promises as fs } from "node:fs";
import { dirname } from "node:path";
import type { FilePiece } from "@muster/proto";
import type { FilesArrival, FilesWish } from "../world/group-files.ts";
import { folderMode } from "./folder-mode.ts";
import { pathBytesMax, pathNamesMax } from "./walk.ts";

/** Files and folders that may arrive for one group. */
export const arrivingFilesMax = 100_000;
const modeMask = 0o777;

interface OpenFile {
  readonly handle: fs.FileHandle;
  readonly place: string;
  readonly piece: FilePiece;
  /** Bytes that have come. */
  size: number;
}

/**
 * Writes what comes into a folder of its own within the group's, which nobody else may enter: no name in it is anybody
 * else's. What comes is held against the limits before it is written. Owners are kept by their numbers if the agent is root;
 * else all is the agent's. O(bytes).
 */
export class NodeFilesArrival implements FilesArrival {
  readonly #wish: Pick<FilesWish, "groupFolder" | "folders" | "bytesMax">;
  readonly #root: string;
  readonly #folders: { readonly place: string; readonly piece: FilePiece }[] = [];
  #file: OpenFile | undefined;
  #bytes = 0;
  #count = 0;
  /** One thing after another. */
  #last: Promise<void>;

  constructor(wish: Pick<FilesWish, "groupFolder" | "folders" | "bytesMax">) {
    this.#wish = wish;
    this.#root = `${wish.groupFolder}/arriving`;
    this.#last = this.#begin();
    // Whoever writes is told.
    this.#last.catch(() => {});
  }

  write(pieces: readonly FilePiece[], done: (failure: string | undefined) => void): void {
    this.#then(async () => {
      for (const piece of pieces) await this.#take(piece);
    }, done);
  }

  settle(done: (failure: string | undefined) => void): void {
    this.#then(() => this.#settle(), done);
  }

  discard(done: () => void): void {
    this.#last = this.#last
      .catch(() => {})
      .then(() => this.#file?.handle.close())
      .then(() => fs.rm(this.#root, { recursive: true, force: true }));
    this.#last.then(done, done);
  }

  #then(act: () => Promise<void>, done: (failure: string | undefined) => void): void {
    this.#last = this.#last.then(act);
    this.#last.then(
      () => done(undefined),
      (error: Error) => done(error.message),
    );
  }

  async #begin(): Promise<void> {
    await fs.rm(this.#root, { recursive: true, force: true });
    await fs.mkdir(this.#root, { recursive: true, mode: 0o700 });
  }

  async #take(piece: FilePiece): Promise<void> {
    const place = this.#placeOf(piece);
    this.#bytes += piece.data.length;
    if (this.#bytes > this.#wish.bytesMax)
      throw new Error(`they are more than the ${this.#wish.bytesMax / 1_048_576} MiB of disk that the group has`);
    if (piece.offset > 0) return this.#goOn(place, piece);
    if (++this.#count > arrivingFilesMax) throw new Error(`they are more than ${arrivingFilesMax}`);
    await this.#close();
    if (piece.folder) {
      await fs.mkdir(place, { mode: 0o700 });
      this.#folders.push({ place, piece });
      return;
    }
    if (piece.path === "") throw new Error("a file came in the place of a folder");
    this.#file = { handle: await fs.open(place, "wx", 0o600), place, piece, size: 0 };
    await this.#append(piece.data);
  }

  #placeOf({ taskName, path }: FilePiece): string {
    const at = this.#wish.folders.findIndex((one) => one.taskName === taskName);
    if (at < 0) throw new Error(`they are of a task "${taskName}", which the group does not have`);
    const names = path === "" ? [] : path.split("/");
    if (Buffer.byteLength(path) > pathBytesMax || names.length > pathNamesMax || path.includes("\0"))
      throw new Error("a path among them is too long, or holds a zero byte");
    if (names.some((name) => name === "" || name === "." || name === ".."))
      throw new Error(`the path "${path}" leads elsewhere`);
    return [this.#root, `${at}`, ...names].join("/");
  }

  async #goOn(place: string, { offset, data }: FilePiece): Promise<void> {
    if (this.#file?.place !== place || this.#file.size !== offset) throw new Error("pieces of a file came in disorder");
    await this.#append(data);
  }

  async #append(data: Uint8Array): Promise<void> {
    const file = this.#file;
    if (!file || data.length === 0) return;
    await file.handle.appendFile(data);
    file.size += data.length;
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (!file) return;
    try {
      await giveRights(file.piece, file.handle);
    } finally {
      await file.handle.close();
    }
  }

  async #settle(): Promise<void> {
    await this.#close();
    // What is in a folder comes after it: rights that shut the agent out are given last.
    for (const { place, piece } of this.#folders.reverse())
      await giveRights(piece, {
        chown: (uid, gid) => fs.chown(place, uid, gid),
        chmod: (mode) => fs.chmod(place, mode),
      });
    for (const [at, { path }] of this.#wish.folders.entries()) {
      await fs.mkdir(dirname(path), { recursive: true, mode: folderMode });
      await fs.rename(`${this.#root}/${at}`, path).catch((error: NodeJS.ErrnoException) => {
        // It had none, or an earlier life of the agent has moved it.
        if (error.code !== "ENOENT" && error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
      });
    }
    await fs.rm(this.#root, { recursive: true, force: true });
  }
}

async function giveRights(
  { mode, ownerId, groupId }: FilePiece,
  to: { chown(uid: number, gid: number): Promise<void>; chmod(mode: number): Promise<void> },
): Promise<void> {
  if (process.geteuid?.() === 0) await to.chown(ownerId, groupId);
  await to.chmod(mode & modeMask);
}
