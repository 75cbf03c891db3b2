import { exitCode } from "../exit-codes.ts";

const { done, failed, incomplete, notAllowed, usage, unreachable, timeout, interrupted } = exitCode;

/** Exit codes of commands that read or change something in the cluster. */
export const callExits: readonly number[] = [done, failed, notAllowed, usage, unreachable];
/** Exit codes of commands that wait for something. */
export const waitExits: readonly number[] = [
  done,
  failed,
  incomplete,
  notAllowed,
  usage,
  unreachable,
  timeout,
  interrupted,
];
/** Exit codes of commands that need no cluster. */
export const localExits: readonly number[] = [done, failed, usage];
