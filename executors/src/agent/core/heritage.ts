import { settleHeritage } from "./heritage-wish.ts";
import type { Context } from "./status.ts";
import { advance } from "./turns.ts";

/** What was left is there, or can't be had: the group goes on in either case. */
export function filesTaken(context: Context, key: string, failure: string | undefined): void {
  const group = context.state.groups.get(key);
  if (group?.heritage !== "moving") return;
  settleHeritage(context, group, failure);
  advance(context, group);
}
