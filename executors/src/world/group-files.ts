/** A folder of an ended task, and where its successor looks for it. Absolute paths on the host. */
export interface FolderMove {
  readonly from: string;
  readonly to: string;
}

/** What tasks leave behind, for those that come after them. */
export interface GroupFiles {
  /**
   * Moves folders, each whole at once. One that is not there was moved already; nothing is laid over what is there. Answers
   * by callback, after the call has returned: why not all could be moved, or nothing.
   */
  take(moves: readonly FolderMove[], done: (failure: string | undefined) => void): void;
}
