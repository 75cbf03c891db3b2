import type { FilesArrival, FilesReading, FilesWish, FolderMove, GroupFiles, NamedFolder } from "@muster/executors";
import type { Random } from "@muster/foundation";
import type { FilePiece } from "@muster/proto";
import type { Life } from "./life.ts";
import type { World } from "./world.ts";

/** Folders are renamed, and pieces read and written, within so long. */
const moveMsMax = 20;

/** Who has taken over whose folders on one host. What a folder holds is one file, whose text is the folder's path. */
export class HostGroupFiles {
  readonly #world: World;
  readonly #host: string;
  /** In the order in which they came to their places. Of copies `from` is on another host. */
  readonly taken: FolderMove[] = [];

  constructor(world: World, host: string) {
    this.#world = world;
    this.#host = host;
  }

  openFor(life: Life): GroupFiles {
    const random = this.#world.random(`group-files/${this.#host}`);
    const soon = (act: () => void): void => this.#soon(life, random, act);
    return {
      take: (moves, done) =>
        soon(() => {
          const isThere = (from: string) => !this.taken.some((one) => one.from === from);
          this.taken.push(...moves.filter(({ from }) => isThere(from)));
          done(undefined);
        }),
      read: (folders) => readingOf(folders, soon),
      receive: (wish) => this.#arrivalOf(wish, soon),
    };
  }

  #soon(life: Life, random: Random, act: () => void): void {
    this.#world.after(life, random.next() * moveMsMax, "take-files", act);
  }

  #arrivalOf({ folders }: Pick<FilesWish, "folders">, soon: (act: () => void) => void): FilesArrival {
    const arrived = new Map<string, string>();
    return {
      write: (pieces, done) =>
        soon(() => {
          for (const { taskName, folder, data } of pieces) if (!folder) arrived.set(taskName, data.toString());
          done(undefined);
        }),
      settle: (done) =>
        soon(() => {
          for (const { taskName, path: to } of folders) {
            const from = arrived.get(taskName);
            if (from !== undefined) this.taken.push({ from, to });
          }
          done(undefined);
        }),
      discard: (done) => soon(done),
    };
  }
}

/** A message for each folder. */
function readingOf(folders: readonly NamedFolder[], soon: (act: () => void) => void): FilesReading {
  let given = 0;
  return {
    next: (done) =>
      soon(() => {
        const folder = folders[given++];
        done(folder ? piecesOf(folder) : [], undefined);
      }),
    close: () => {},
  };
}

function piecesOf({ taskName, path }: NamedFolder): FilePiece[] {
  const piece = { taskName, path: "", folder: true, mode: 0o755, ownerId: 0, groupId: 0, offset: 0 };
  return [
    { ...piece, data: Buffer.alloc(0) },
    { ...piece, path: "held", folder: false, data: Buffer.from(path) },
  ];
}
