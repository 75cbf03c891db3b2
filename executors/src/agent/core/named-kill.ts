import { StatusReason } from "@muster/proto";
import type { AgentInput } from "./effects.ts";
import { killGroup } from "./group-kill.ts";
import { killAsAsked } from "./health-asks.ts";
import type { KillWish } from "./kill.ts";
import { type Group, pairKey } from "./model.ts";
import type { Context } from "./status.ts";
import { advance } from "./turns.ts";

/** A kill of a task that nobody knows is remembered for so long. */
export const killAheadMs = 60_000;
export const killsAheadMax = 1_024;

/** Ends a task and its group, or remembers to when it should come after all. */
export function killNamed(context: Context, kill: Extract<AgentInput, { type: "kill" }>): void {
  const { state, now } = context;
  const { frameworkId, taskId, graceMs, reason, message = "" } = kill;
  const name = pairKey(frameworkId, taskId);
  const named = state.named.get(name);
  if (reason === StatusReason.REASON_UNHEALTHY) {
    const asking = named?.find((task) => task.phase !== "ended");
    if (asking) killAsAsked(context, asking);
    return;
  }
  const wish: KillWish = {
    reason: reason === StatusReason.STATUS_REASON_UNSPECIFIED ? StatusReason.REASON_KILLED_BY_FRAMEWORK : reason,
    message,
    graceMsMax: graceMs,
  };
  if (!named) {
    if (state.killsAhead.size >= killsAheadMax) dropOldest(state.killsAhead);
    state.killsAhead.set(name, { untilMs: now.monotonicMs + killAheadMs, reason: wish.reason });
    return;
  }
  const living = named.find((task) => task.phase !== "ended");
  if (!living) return;
  const because = message === "" ? "" : `: ${message}`;
  const wishOf = { ...wish, message: `its group is ended with ${taskId}${because}` };
  killGroup(context, living.group, (task) => (task === living ? wish : wishOf));
  advance(context, living.group);
}

/** Ends all groups, or those of one framework. */
export function killAll(
  context: Context,
  reason: StatusReason,
  graceMsMax: number | undefined,
  frameworkId: string | undefined,
): void {
  for (const group of context.state.groups.values())
    if (frameworkId === undefined || group.frameworkId === frameworkId) killWhole(context, group, reason, graceMsMax);
}

function killWhole(context: Context, group: Group, reason: StatusReason, graceMsMax: number | undefined): void {
  killGroup(context, group, () => ({ reason, message: "", graceMsMax }));
  advance(context, group);
}

function dropOldest(map: Map<string, unknown>): void {
  for (const key of map.keys()) {
    map.delete(key);
    return;
  }
}
