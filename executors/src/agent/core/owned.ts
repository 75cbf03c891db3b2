import type { OwnedCommands } from "../../world/proc.ts";
import { procId } from "./attempts.ts";
import type { AgentState } from "./model.ts";

/** All groups and commands that there is a record of, or that are on their way to have one. O(tasks). */
export function ownedCommands(state: AgentState): OwnedCommands {
  const living = new Set<string>();
  for (const task of state.tasks.values()) if (task.phase !== "ended") living.add(procId(task));
  return { groups: new Set(state.groups.keys()), living };
}
