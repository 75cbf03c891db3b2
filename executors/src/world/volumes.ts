/** Folders that outlive the tasks which use them, each under the id of its volume: letters, digits, dots, dashes, underscores. */
export interface Volumes {
  /** Makes an empty folder unless it is there. Answers by callback, after the call has returned: why it could not, or nothing. */
  make(id: string, done: (failure: string | undefined) => void): void;
  /** Removes a folder with all that is in it. One that is not there is removed already. */
  remove(id: string, done: (failure: string | undefined) => void): void;
  /** Called once, before anything else: folders of others are left-overs of a crash, and are removed. */
  keep(ids: ReadonlySet<string>): void;
}
