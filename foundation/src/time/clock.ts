/** Stops what it was given for. Calling it twice, or too late, does nothing. */
export type Cancel = () => void;

/** Where time comes from. The simulator has one of its own. */
export interface Clock {
  /** Milliseconds since some moment; never goes back. For durations and deadlines. */
  monotonicMs(): number;
  /** Milliseconds since 1970-01-01T00:00Z; may jump. For what people and other machines read. */
  epochMs(): number;
  /** Calls `wake` once, after at least `delayMs` milliseconds, never before the caller has returned. */
  after(delayMs: number, wake: () => void): Cancel;
}
