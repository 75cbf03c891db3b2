/** A task whose files may take so much of the agent's disk. */
export interface DiskQuestion {
  /** Its id: "<group>.<index>". */
  readonly id: string;
  readonly limitMiB: number;
}

export interface DiskUse {
  readonly id: string;
  /** Of the task's own files, what it has written over its image, and its group's shared folder; rounded up. */
  readonly usedMiB: number;
  /** The largest of these files, as the task sees it. */
  readonly largest: string;
}

/** Measures what tasks' files take. */
export interface DiskMeter {
  /** Answers by callback, after the call has returned; leaves out those that can't have gone beyond their limit. */
  measure(questions: readonly DiskQuestion[], done: (found: readonly DiskUse[]) => void): void;
}
