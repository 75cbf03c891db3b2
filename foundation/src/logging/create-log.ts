import { pino } from "pino";
import type { Log } from "./log.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface LogOptions {
  /** What is left out below. Default: info. */
  level?: LogLevel;
  /** On every line, for instance "master". */
  component: string;
  /** File descriptor. Default: 2, standard error. */
  descriptor?: number;
}

/** JSON lines, secrets redacted by their paths, written at once: a line that explains a crash must not wait in a buffer. */
export function createLog(options: LogOptions): Log {
  return pino(
    {
      level: options.level ?? "info",
      base: { component: options.component, pid: process.pid },
      timestamp: () => `,"ts":"${new Date().toISOString()}"`,
      formatters: { level: (level) => ({ level }) },
      messageKey: "msg",
      redact: [
        "token",
        "*.token",
        "password",
        "*.password",
        "variables",
        "*.variables",
        "environment",
        "*.environment",
      ],
      serializers: { error: serializeError },
    },
    pino.destination({ dest: options.descriptor ?? 2, sync: true }),
  );
}

function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const cause = error.cause === undefined ? {} : { cause: serializeError(error.cause) };
  return { name: error.name, message: error.message, stack: error.stack, ...cause };
}
