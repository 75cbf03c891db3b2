/** Why an artifact can't be had, for people. */
export class FetchFailure extends Error {}

/** What a system's error means to people; what is no such error is a bug, and stays one. */
export function failureOf(error: unknown): FetchFailure {
  if (error instanceof FetchFailure) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC") return new FetchFailure("the agent's disk is full");
  return new FetchFailure(message ?? String(error));
}
