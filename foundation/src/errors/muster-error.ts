/** What can go wrong, in the words of the domain. One table maps them to gRPC status codes. */
export type ErrorKind =
  | "invalid"
  | "unauthenticated"
  | "forbidden"
  | "not-found"
  | "exists"
  | "stale"
  | "offer-gone"
  | "wrong-state"
  | "over-quota"
  | "too-many"
  | "slow-reader"
  | "not-leader"
  | "unavailable"
  | "too-late"
  | "cancelled"
  | "unsupported"
  | "internal";

export interface ErrorDetails {
  /** Path of the offending field, for instance "accepts[0].operations[2].launch". */
  field?: string;
  /** Try again after so many milliseconds. */
  retryAfterMs?: number;
  /** Of `not-leader`: address of the master that leads, if it is known. */
  leader?: string;
  /** Where it came from: for the log, never for the wire. */
  cause?: unknown;
}

/** An error that somebody is told about. Its message says what is wrong, where, and what to do. */
export class MusterError extends Error {
  readonly kind: ErrorKind;
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly leader: string | undefined;

  constructor(kind: ErrorKind, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "MusterError";
    this.kind = kind;
    this.field = details.field;
    this.retryAfterMs = details.retryAfterMs;
    this.leader = details.leader;
  }

  /** The error as it is if it is one of ours, else an internal one that keeps the original as its cause. */
  static from(error: unknown): MusterError {
    if (error instanceof MusterError) return error;
    return new MusterError("internal", "internal error", { cause: error });
  }
}

/** Bad input: names the field and says what is wrong with it. */
export function invalid(field: string, message: string): MusterError {
  return new MusterError("invalid", field === "" ? message : `${field}: ${message}`, { field });
}

/** Thrown when something that must never be is: a bug of ours, never the world's doing. */
export class AssertionError extends Error {
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(message: string, facts: Readonly<Record<string, unknown>>) {
    super(`${message} ${JSON.stringify(facts)}`);
    this.name = "AssertionError";
    this.facts = facts;
  }
}

/** Stays on in production: going on with corrupt state is worse than stopping. */
export function assert(
  condition: boolean,
  message: string,
  facts: Readonly<Record<string, unknown>> = {},
): asserts condition {
  if (!condition) throw new AssertionError(message, facts);
}

/** What came of something that may fail without being a bug. */
export type Result<T> = { ok: true; value: T } | { ok: false; error: MusterError };
