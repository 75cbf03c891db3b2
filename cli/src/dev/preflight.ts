import { readFileSync } from "node:fs";
import { CliError } from "../cli-error.ts";
import { exitCode } from "../exit-codes.ts";
import { type Layout, listeners } from "./layout.ts";
import { findPortOwner } from "./port-owner.ts";

/** Components of a cluster that was killed see its end and leave; so long they may take. */
const leftoverWaitMs = 3_000;
const lookEveryMs = 50;

/** Waits for what an earlier cluster of this folder left, and refuses ports that somebody else has. */
export async function checkPorts(layout: Layout, folder: string): Promise<void> {
  const deadlineMs = Date.now() + leftoverWaitMs;
  for (const { purpose, port, udp } of listeners(layout)) {
    for (;;) {
      const taken = findPortOwner(port, udp);
      if (!taken) break;
      const { owner } = taken;
      if (owner && belongsTo(owner.pid, folder) && Date.now() < deadlineMs) {
        await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
        continue;
      }
      const who = owner ? `pid ${owner.pid} (${owner.command})` : "a process of another account";
      throw new CliError(exitCode.failed, `port ${port}, wanted for ${purpose}, is in use by ${who}`, {
        kind: "port-in-use",
        hint: `muster dev --port-offset 100, or end ${owner ? `pid ${owner.pid}` : "that process"}`,
      });
    }
  }
}

function belongsTo(pid: number, folder: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(`MUSTER_DATA_DIR=${folder}`);
  } catch {
    return false;
  }
}
