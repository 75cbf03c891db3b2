import { StatusReason } from "@muster/proto";
import { beginKill } from "./kill.ts";
import type { AgentState, Group, Task } from "./model.ts";
import type { Context } from "./status.ts";
import { advance } from "./turns.ts";

/** There is no master to talk to, from now on. Counted from the first such news. */
export function left({ state, now }: Context): void {
  state.awaySinceMs ??= now.monotonicMs;
}

/** When a task is to end because there is no master, as `monotonicMs`; undefined: that is no reason to. */
export function awayEndMs({ awaySinceMs }: AgentState, { spec, kill, phase }: Task): number | undefined {
  if (awaySinceMs === undefined || spec.stopAfterAwayMs === undefined || kill || phase === "ended") return undefined;
  return awaySinceMs + spec.stopAfterAwayMs;
}

/** Ends what must not run without a master for so long. O(tasks of the group). */
export function endAway(context: Context, group: Group): void {
  const { state, now } = context;
  for (const task of group.tasks) {
    const atMs = awayEndMs(state, task);
    if (atMs === undefined || atMs > now.monotonicMs) continue;
    const seconds = Math.round((task.spec.stopAfterAwayMs ?? 0) / 1_000);
    const message = `its agent had no master for ${seconds} s`;
    beginKill(context, task, { reason: StatusReason.REASON_AGENT_DISCONNECTED, message });
    advance(context, group);
  }
}
