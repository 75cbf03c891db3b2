/** Fields have fixed names: agentId, frameworkId, taskId, offerId, role, durationMs, reason, error. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where lines for operators go. Cores never log; loops and edges do. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** The same log with fields added to every line. */
  child(fields: LogFields): Log;
}

/** Says nothing. */
export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLog,
};
