import type { DrainProgress } from "@muster/proto";
import type { Agent } from "../model.ts";

/** How far it has come; null if the agent is not being drained. O(tasks of the agent). */
export function drainProgress(agent: Agent): DrainProgress | null {
  const { standing } = agent;
  if (standing?.name !== "draining") return null;
  const agreed: string[] = [];
  const pending = new Set<string>();
  for (const { group } of agent.tasks) pending.add(group.framework.id);
  for (const { answer, framework } of agent.inverseOffers.values())
    if (answer === "accepted" && pending.delete(framework.id)) agreed.push(framework.id);
  return {
    deadlineAt: standing.deadlineAt,
    tasksLeft: agent.tasks.size,
    endsUnacknowledged: agent.ended.size,
    frameworkIdsAgreed: agreed.sort(),
    frameworkIdsPending: [...pending].sort(),
    forced: agent.drainForced,
    markGone: standing.markGone,
  };
}
