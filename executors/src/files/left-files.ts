import { constants, promises as fs, type Stats } from "node:fs";
import { basename, dirname } from "node:path";
import { MusterError } from "@muster/foundation";
import type { FilePiece } from "@muster/proto";
import type { FilesReading, NamedFolder } from "../world/group-files.ts";
import { known, namesIn } from "./node-task-files.ts";
import { type Found, heldPath, pathNamesMax, walk } from "./walk.ts";

/** Bytes of a file in one piece, and in one message if it is the last. */
export const pieceBytes = 256 * 1024;
/** Pieces in one message. */
const piecesPerMessageMax = 256;
/** All but what would give a program another account's rights. */
const modeMask = 0o777;

/**
 * Reads folders that nothing runs in any more. No link is followed. O(bytes), and for each file as many look-ups as it has
 * folders above it. Files whose names are no UTF-8 are left out.
 */
export class LeftFiles implements FilesReading {
  readonly #pieces: AsyncGenerator<FilePiece>;

  constructor(folders: readonly NamedFolder[]) {
    this.#pieces = piecesOf(folders);
  }

  next(done: (pieces: readonly FilePiece[], error: MusterError | undefined) => void): void {
    this.#gather().then(
      (pieces) => done(pieces, undefined),
      (error: unknown) => done([], known(error)),
    );
  }

  close(): void {
    this.#pieces.return(undefined).catch(() => {});
  }

  async #gather(): Promise<FilePiece[]> {
    const pieces: FilePiece[] = [];
    let bytes = 0;
    while (bytes < pieceBytes && pieces.length < piecesPerMessageMax) {
      const { value, done } = await this.#pieces.next();
      if (done) break;
      pieces.push(value);
      bytes += value.data.length;
    }
    return pieces;
  }
}

async function* piecesOf(folders: readonly NamedFolder[]): AsyncGenerator<FilePiece> {
  for (const { taskName, path } of folders) {
    const owner = await fs.lstat(path).catch(() => undefined);
    // Its successor on this agent has taken it over, or the task never had it.
    if (!owner) continue;
    if (!owner.isDirectory()) throw new MusterError("wrong-state", `${path} is no folder; links are not followed`);
    yield* piecesBelow({ root: dirname(path), taskName, owner: owner.uid }, [basename(path)]);
  }
}

interface Place {
  readonly root: string;
  readonly taskName: string;
  /** Number of the account that the folder belongs to. */
  readonly owner: number;
}

async function* piecesBelow(place: Place, names: readonly string[]): AsyncGenerator<FilePiece> {
  if (names.length > pathNamesMax)
    throw new MusterError("wrong-state", `more than ${pathNamesMax} folders within each other`);
  const found = await walk(place.root, names).catch((error: unknown) => {
    if (error instanceof MusterError && error.kind === "not-found") return undefined;
    throw error;
  });
  if (!found) return;
  let inside: string[] = [];
  try {
    const { handle, stats } = found;
    const piece = pieceOf(place, names, stats);
    if (stats.isDirectory()) {
      yield { ...piece, folder: true };
      inside = await namesIn(heldPath(handle));
      // Where the kernel lets anybody make a second name for any file, it may be one of the host's.
    } else if (stats.isFile() && (stats.nlink === 1 || stats.uid === place.owner)) yield* contents(found, piece);
  } finally {
    await found.handle.close();
  }
  for (const name of inside) yield* piecesBelow(place, [...names, name]);
}

function pieceOf({ taskName }: Place, names: readonly string[], { mode, uid, gid }: Stats): FilePiece {
  const path = names.slice(1).join("/");
  const rights = { mode: mode & modeMask, ownerId: uid, groupId: gid };
  return { taskName, path, folder: false, ...rights, offset: 0, data: Buffer.alloc(0) };
}

/** An empty file is one piece without bytes. */
async function* contents({ handle, stats }: Found, piece: FilePiece): AsyncGenerator<FilePiece> {
  if (stats.size === 0) yield piece;
  const file = await fs.open(heldPath(handle), constants.O_RDONLY);
  try {
    for (let offset = 0; offset < stats.size; ) {
      const data = Buffer.allocUnsafe(Math.min(pieceBytes, stats.size - offset));
      const { bytesRead } = await file.read(data, 0, data.length, offset);
      if (bytesRead === 0) return;
      yield { ...piece, offset, data: data.subarray(0, bytesRead) };
      offset += bytesRead;
    }
  } finally {
    await file.close();
  }
}
