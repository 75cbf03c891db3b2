import { exitCode } from "./exit-codes.ts";

export interface CliErrorDetails {
  /** What to do about it; printed after the message. */
  hint?: string;
  /** Kind of the underlying error, for instance "not-found". */
  kind?: string;
  /** Path of the offending field, if the cluster named one. */
  field?: string;
  cause?: unknown;
}

/** An error with the exit code that it ends the command with. */
export class CliError extends Error {
  readonly code: number;
  readonly hint: string | undefined;
  readonly kind: string;
  readonly field: string | undefined;

  constructor(code: number, message: string, details: CliErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "CliError";
    this.code = code;
    this.hint = details.hint;
    this.kind = details.kind ?? "failed";
    this.field = details.field;
  }
}

export function usageError(message: string, hint?: string): CliError {
  return new CliError(exitCode.usage, message, { kind: "usage", ...(hint === undefined ? {} : { hint }) });
}

/** Any error as one that ends a command. Errors of the cluster are known by their shape: foundation is not loaded for it. */
export function toCliError(error: unknown): CliError {
  if (error instanceof CliError) return error;
  const known = error as { name?: unknown; kind?: unknown; field?: unknown; message?: unknown; code?: unknown };
  if (error instanceof Error && known.name === "MusterError" && typeof known.kind === "string") {
    return new CliError(codeOfKind(known.kind), error.message, {
      kind: known.kind,
      cause: error,
      ...(typeof known.field === "string" ? { field: known.field } : {}),
    });
  }
  if (error instanceof Error && typeof known.code === "string" && "syscall" in error)
    return new CliError(exitCode.failed, describeSystemError(error as NodeJS.ErrnoException), {
      kind: known.code,
      cause: error,
    });
  const message = error instanceof Error ? error.message : String(error);
  return new CliError(exitCode.failed, `internal error: ${message}`, {
    kind: "internal",
    hint: "run it again with --debug and report what it prints",
    cause: error,
  });
}

const systemWords: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EACCES: "permission denied",
  EISDIR: "is a folder",
  ENOTDIR: "is not a folder",
  ENOSPC: "the disk is full; free some space and try again",
  EROFS: "the file system is read-only",
  EMFILE: "too many open files",
};

function describeSystemError(error: NodeJS.ErrnoException): string {
  const words = systemWords[error.code ?? ""] ?? error.message;
  return error.path === undefined ? words : `${error.path}: ${words}`;
}

function codeOfKind(kind: string): number {
  if (kind === "unauthenticated" || kind === "forbidden") return exitCode.notAllowed;
  if (kind === "unavailable" || kind === "not-leader") return exitCode.unreachable;
  if (kind === "too-late") return exitCode.timeout;
  if (kind === "cancelled") return exitCode.interrupted;
  return exitCode.failed;
}
