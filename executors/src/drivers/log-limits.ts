import type { TaskSpec } from "@muster/proto";
import type { ProcSpec } from "../world/proc.ts";

const logFileBytesDefault = 10 * 1024 * 1024;
const logFilesDefault = 10;

/** What is kept of a task's output. */
export function logLimits({ logPolicy }: TaskSpec): Pick<ProcSpec, "logFileBytesMax" | "logFilesMax"> {
  return {
    logFileBytesMax: logPolicy?.fileBytesMax || logFileBytesDefault,
    logFilesMax: logPolicy?.filesMax || logFilesDefault,
  };
}
