/** One small file of the checkpoint. Paths are relative, with slashes, for instance "tasks/lx3k-1/0/state". */
export interface DiskFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export type DiskWrite =
  | { readonly type: "put"; readonly path: string; readonly bytes: Uint8Array }
  | { readonly type: "delete"; readonly path: string }
  /** Puts a damaged file out of the way, where a person can look at it. */
  | { readonly type: "quarantine"; readonly path: string };

/**
 * "full": nothing of the commit may be relied upon, a later one may succeed.
 * "broken": the disk can't be trusted any more; never retried, since a second fsync may lie about the first.
 */
export interface DiskFailure {
  readonly kind: "full" | "broken";
  readonly message: string;
}

export interface DiskSpace {
  readonly totalBytes: number;
  readonly freeBytes: number;
}

/**
 * The agent's own records. Answers come by callback, after the call has returned.
 *
 * A file is replaced whole: after a crash at any moment it holds its old or its new bytes. Writes of one commit become
 * visible in their order; when `done` comes without a failure, all of them outlive a power cut.
 */
export interface Disk {
  /** Every file there is. A failure means that the disk can't be read at all. */
  readAll(done: (files: readonly DiskFile[], failure: DiskFailure | undefined) => void): void;
  /** One commit at a time: the next begins after `done`. */
  commit(writes: readonly DiskWrite[], done: (failure: DiskFailure | undefined) => void): void;
  space(done: (space: DiskSpace) => void): void;
  /** Gives back the space kept for recording how tasks end. False if it has been given back before. */
  releaseBallast(): boolean;
}
