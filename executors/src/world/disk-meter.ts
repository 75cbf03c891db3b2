/** A task or a volume whose files may take so much of the agent's disk. */
export interface DiskQuestion {
  /** Of a task its id: "<group>.<index>"; of a volume as `volumeQuestion` says. */
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

const ofVolume = "volume:";

/** What a volume is asked about by. No id of a task has a colon. */
export function volumeQuestion(volumeId: string): string {
  return `${ofVolume}${volumeId}`;
}

/** The volume that an answer is about; undefined: it is about a task. */
export function volumeIdOf(id: string): string | undefined {
  return id.startsWith(ofVolume) ? id.slice(ofVolume.length) : undefined;
}

/** Measures what tasks' and volumes' files take. */
export interface DiskMeter {
  /** Answers by callback, after the call has returned; leaves out those that can't have gone beyond their limit. */
  measure(questions: readonly DiskQuestion[], done: (found: readonly DiskUse[]) => void): void;
}
