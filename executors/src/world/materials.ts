/** A file of a task, or of its group's shared folder: the names from that folder on. */
export interface TaskPlace {
  readonly folder: "task" | "shared";
  readonly names: readonly string[];
}

/** A secret that this host has: a file that is set out for the task's role, or a variable of the agent. */
export interface SecretWish {
  readonly name: string;
  readonly provider: "file" | "env";
  readonly path: string;
}

export interface MaterialsWish {
  /** The task's id. */
  readonly id: string;
  readonly role: string;
  /** Files that hold templates. */
  readonly sources: readonly TaskPlace[];
  readonly secrets: readonly SecretWish[];
}

/** In the order of the wish; or why something could not be read. No message holds what was read. */
export type MaterialsFound =
  | { readonly ok: true; readonly sources: readonly string[]; readonly secrets: readonly string[] }
  | { readonly ok: false; readonly problem: string };

/** A file that was made from a template. */
export interface MadeFile {
  /** The task's id. */
  readonly id: string;
  readonly place: TaskPlace;
  readonly text: string;
  readonly mode: number;
  /** Undefined: the agent's own account. */
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

/** What tasks' files are made from, and their making. Answers come by callback, after the call has returned. */
export interface Materials {
  read(wish: MaterialsWish, done: (found: MaterialsFound) => void): void;
  /**
   * Replaces a file whole: whoever opens it finds the old or the new text. No link leads out of the task's folder. Tells why
   * it could not, or nothing.
   */
  write(file: MadeFile, done: (problem: string | undefined) => void): void;
}
