import type { Cancel } from "@muster/foundation";

/** What one probe tells: an answer at most once, and then or without one that nothing of it is left. */
export interface ProbeEvents {
  answer(passed: boolean, message: string): void;
  closed(): void;
}

/** Begins a probe; gives how to end it at once. */
export type Probe<Target> = (target: Target, timeoutMs: number, events: ProbeEvents) => Cancel;
