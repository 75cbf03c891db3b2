import { readFileSync } from "node:fs";

/** Files and sockets of a task at once, as far as the agent itself may have so many. */
const wantedMax = 65_536;

/** An agent that may raise no limits gives what it has. */
export function openFilesMax(): number {
  const words = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "latin1"));
  const hard = Number(words?.[1]);
  return Number.isInteger(hard) ? Math.min(wantedMax, hard) : wantedMax;
}
