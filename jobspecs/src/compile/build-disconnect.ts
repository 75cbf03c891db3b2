import type { DisconnectStrategy, ReconcilePolicy } from "../job/disconnects.ts";
import type { JobType } from "../job/types.ts";
import type { DecodedBlock } from "./decoded.ts";

/** What older job files write in the group, and what it is now. */
const older = {
  max_client_disconnect: "lost_after",
  stop_after_client_disconnect: "stop_on_client_after",
  prevent_reschedule_on_lost: "replace",
} as const;

/** A group's block, or its older attributes; undefined: neither is written. */
export function buildDisconnect(group: DecodedBlock, type: JobType): DisconnectStrategy | undefined {
  const block = group.first("disconnect");
  const written = Object.keys(older).filter((name) => group.has(name)) as (keyof typeof older)[];
  const [first] = written;
  if (block === undefined && first === undefined) return undefined;
  const refuse = (place: DecodedBlock, name: string | undefined, summary: string, hint?: string): void =>
    place.error(name, { code: "job/disconnect", summary, ...(hint === undefined ? {} : { hint }) });
  if (block && first)
    refuse(group, first, `${first} can't stand beside a disconnect block`, `write ${older[first]} there`);
  if (type === "sysbatch") refuse(block ?? group, block ? undefined : first, "a sysbatch job has no disconnect block");
  const lostAfterMs = block ? block.number("lost_after") : group.number("max_client_disconnect");
  const stopAfterMs = block ? block.number("stop_on_client_after") : group.number("stop_after_client_disconnect");
  if (lostAfterMs !== undefined && stopAfterMs !== undefined)
    refuse(
      block ?? group,
      block ? "stop_on_client_after" : "stop_after_client_disconnect",
      "what its agent ends can't come back: it is lost_after or stop_on_client_after",
    );
  return {
    ...(lostAfterMs === undefined ? {} : { lostAfterMs }),
    ...(stopAfterMs === undefined ? {} : { stopOnClientAfterMs: stopAfterMs }),
    replace: block ? (block.bool("replace") ?? true) : !(group.bool("prevent_reschedule_on_lost") ?? false),
    reconcile: (block?.text("reconcile") ?? "best_score") as ReconcilePolicy,
  };
}
