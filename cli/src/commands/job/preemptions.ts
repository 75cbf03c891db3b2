import type { Job } from "@muster/jobspecs";
import type { PlanResponse } from "@muster/proto";
import { toCliError } from "../../cli-error.ts";
import { type Client, message } from "../../connect/client.ts";

/** Who would be ended for instances of one group that find no room. */
export interface Preemption {
  readonly group: string;
  /** That find no room. */
  readonly instances: number;
  /** For one of them each. */
  readonly rooms: {
    readonly agent: string;
    readonly tasks: readonly { readonly task: string; readonly job: string; readonly role: string }[];
  }[];
  /** Why there is no room to be made for more; empty if there is for all. */
  readonly reason: string;
}

/** Who would be ended for instances that find no room, group by group, as things are now. */
export async function foresee(client: Client, job: Job, plan: PlanResponse): Promise<Preemption[]> {
  const found: Preemption[] = [];
  for (const { group, count, resources, agentIds } of plan.waiting) {
    const about = { jobType: job.type, role: job.role, priority: job.priority, resources, count, agentIds };
    try {
      const { rooms, reason } = await client.call("Operator.ForeseeRoom", message("ForeseeRoomRequest", about));
      found.push({
        group,
        instances: count,
        rooms: rooms.map(({ agentName, agentId, ends }) => ({
          agent: agentName || agentId,
          tasks: ends.map(({ taskId, job: owner, role }) => ({ task: taskId, job: owner, role })),
        })),
        reason,
      });
    } catch (error) {
      // Who may plan need not be allowed to see what others run.
      found.push({ group, instances: count, rooms: [], reason: toCliError(error).message });
    }
  }
  return found;
}

/** In words, for people. */
export function preemptionLines({ group, instances, rooms, reason }: Preemption): string[] {
  const lines = rooms.map(({ agent, tasks }) => {
    const ended = tasks.map(({ task, job, role }) => `${task}${job === "" ? "" : ` of ${job}`} (role ${role})`);
    return `  on ${agent} would end for group ${group}: ${ended.join(", ") || "nothing more, room is being made already"}`;
  });
  const left = instances - rooms.length;
  return left > 0 && reason !== ""
    ? [...lines, `  nobody would be ended for ${left} of group ${group}: ${reason}`]
    : lines;
}
