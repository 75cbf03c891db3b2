interface Waiting<T> {
  readonly item: T;
  resolve(): void;
  reject(error: Error): void;
}

/**
 * Gathers what several groups want of one tool, so that a run of it serves all of them. What comes while it runs goes
 * into the next run, in the order in which it came.
 */
export class Batch<T> {
  readonly #run: (items: readonly T[]) => Promise<readonly (Error | undefined)[]>;
  readonly #itemsMax: number;
  #waiting: Waiting<T>[] = [];
  #isRunning = false;

  /** `run` answers for each item in turn: undefined, or why it failed. */
  constructor(run: (items: readonly T[]) => Promise<readonly (Error | undefined)[]>, itemsMax: number) {
    this.#run = run;
    this.#itemsMax = itemsMax;
  }

  add(item: T): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (this.#isRunning) return;
      this.#isRunning = true;
      // Launches come many to a message: all that are asked for in this turn of the event loop go together.
      setImmediate(() => void this.#runAll());
    });
  }

  async #runAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const now = this.#waiting.splice(0, this.#itemsMax);
      const errors = await this.#run(now.map(({ item }) => item)).catch((error: Error) => now.map(() => error));
      for (const [index, { resolve, reject }] of now.entries()) {
        const error = errors[index];
        if (error) reject(error);
        else resolve();
      }
    }
    this.#isRunning = false;
  }
}
