import type { MusterError } from "@muster/foundation";
import type { FilePiece } from "@muster/proto";

/** A folder of an ended task, and where its successor looks for it. Absolute paths on the host. */
export interface FolderMove {
  readonly from: string;
  readonly to: string;
}

/** The local folder of a task of that name, or, with an empty name, what a group shares. An absolute path on the host. */
export interface NamedFolder {
  readonly taskName: string;
  readonly path: string;
}

/** Whose files are wanted of another agent, and where they go. */
export interface FilesWish {
  readonly address: string;
  readonly token: string;
  readonly frameworkId: string;
  readonly launchId: string;
  /** The folder of the group that wants them. */
  readonly groupFolder: string;
  readonly folders: readonly NamedFolder[];
  readonly bytesMax: number;
}

/** What tasks leave behind, for those that come after them. Answers come by callback, after the call has returned. */
export interface GroupFiles {
  /**
   * Moves folders, each whole at once. One that is not there was moved already; nothing is laid over what is there. Answers
   * why not all could be moved, or nothing.
   */
  take(moves: readonly FolderMove[], done: (failure: string | undefined) => void): void;
  /** Reads folders of an ended group. */
  read(folders: readonly NamedFolder[]): FilesReading;
  /** Takes in copies of such folders, beside where they go. What an earlier arrival of the group has left goes. */
  receive(wish: Pick<FilesWish, "groupFolder" | "folders" | "bytesMax">): FilesArrival;
}

export interface FilesReading {
  /** The next pieces; none: that was all. Not to be asked again before it has answered. */
  next(done: (pieces: readonly FilePiece[], error: MusterError | undefined) => void): void;
  close(): void;
}

export interface FilesArrival {
  write(pieces: readonly FilePiece[], done: (failure: string | undefined) => void): void;
  /** Moves what has come to its places, each folder whole at once; nothing is laid over what is there. */
  settle(done: (failure: string | undefined) => void): void;
  /** Removes what has come. */
  discard(done: () => void): void;
}
