/** What is known of a task's files from the last look at them. */
export interface LastLook {
  readonly usedBytes: number;
  /** Of the disk, before that look. */
  readonly freeBytes: number;
}

/** Free space moves by itself, by so much of other programs' small writes. */
export const slackBytes = 1024 * 1024;

export interface LookQuestion {
  readonly id: string;
  readonly limitBytes: number;
}

/**
 * Whose files are to be looked through: those that were never, and those that may have outgrown their limit, judged by how
 * much less is free on the disk than at the last look. Where others delete as much as one writes that shows nothing, so
 * one more is looked through in its turn. O(questions). Pure.
 */
export function planLooks(
  questions: readonly LookQuestion[],
  known: ReadonlyMap<string, LastLook>,
  freeBytes: number,
  turn: number,
): string[] {
  const looks: string[] = [];
  for (const { id, limitBytes } of questions) {
    const last = known.get(id);
    const grownMax = last ? last.freeBytes - freeBytes + slackBytes : Number.POSITIVE_INFINITY;
    if (!last || last.usedBytes > limitBytes || grownMax > limitBytes - last.usedBytes) looks.push(id);
  }
  const inTurn = questions[turn % Math.max(1, questions.length)];
  if (inTurn && !looks.includes(inTurn.id)) looks.push(inTurn.id);
  return looks;
}
