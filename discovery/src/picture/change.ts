import type { AgentRecord, FrameworkRecord, TaskRecord, WatchEvent } from "@muster/proto";

/** What an event of the watch says, as far as names are concerned. */
export type Change =
  | { readonly kind: "task"; readonly task: TaskRecord }
  | { readonly kind: "task-removed"; readonly frameworkId: string; readonly taskId: string }
  | { readonly kind: "agent"; readonly agent: AgentRecord }
  | { readonly kind: "agent-removed"; readonly agentId: string }
  | { readonly kind: "framework"; readonly framework: FrameworkRecord }
  | { readonly kind: "framework-removed"; readonly frameworkId: string }
  | { readonly kind: "agents-awaited"; readonly agentIds: readonly string[] }
  | { readonly kind: "other" };

/** Reads an event; a change that this version does not know is "other". */
export function changeOf(event: WatchEvent): Change {
  // Unset members of the choice read as empty, so that what is there can be asked for in any order.
  if (event.task) return { kind: "task", task: event.task };
  if (event.taskRemoved) return { kind: "task-removed", ...ids(event.taskRemoved) };
  if (event.agent) return { kind: "agent", agent: event.agent };
  if (event.agentRemoved) return { kind: "agent-removed", agentId: event.agentRemoved };
  if (event.framework) return { kind: "framework", framework: event.framework };
  if (event.frameworkRemoved) return { kind: "framework-removed", frameworkId: event.frameworkRemoved };
  if (event.agentsAwaited) return { kind: "agents-awaited", agentIds: [...event.agentsAwaited.agentIds] };
  return { kind: "other" };
}

function ids({ frameworkId, taskId }: { frameworkId: string; taskId: string }): {
  frameworkId: string;
  taskId: string;
} {
  return { frameworkId, taskId };
}
