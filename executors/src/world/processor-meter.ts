/** A task whose use of the processor is asked for. */
export interface ProcessorQuestion {
  readonly id: string;
  readonly pid: number;
  readonly shimPid: number;
}

/** What used the processor since the last answer. */
export interface ProcessorUse {
  /** Thousandths of a core by task. Tasks that have begun since, or can't be measured, are left out. */
  readonly tasks: ReadonlyMap<string, number>;
  /** Thousandths of a core that nobody on the host used. */
  readonly idleCpuMillis: number;
}

/** Measures what all tasks together use, at small cost and in the long run; `TaskMeter` measures one at once. */
export interface ProcessorMeter {
  /** The answer comes after the return; undefined if there is nothing yet to compare with. */
  measure(questions: readonly ProcessorQuestion[], done: (use: ProcessorUse | undefined) => void): void;
}
