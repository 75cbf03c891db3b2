import { containsResources, noResources, subtractResources } from "@muster/foundation";
import { TaskState } from "@muster/proto";
import type { Room } from "../placement/fit.ts";
import type { FrameworkTask } from "./define.ts";
import { executorResources, type TaskTemplate } from "./tasks.ts";

/** What is left of an agent when the executors that are wanted and do not live there yet have their part. */
export function withoutExecutors<R extends Room>(
  room: R,
  demands: readonly { readonly template: TaskTemplate }[],
  tasks: Iterable<FrameworkTask>,
): R {
  const wanted = new Map(demands.flatMap(({ template: { executor } }) => (executor ? [[executor.id, executor]] : [])));
  if (wanted.size === 0) return room;
  for (const { name, agentId, state } of tasks)
    if (agentId === room.agentId && state !== TaskState.TASK_KILLING) wanted.delete(name);
  let { available } = room;
  for (const executor of wanted.values()) {
    const need = executorResources(executor);
    available = containsResources(available, need) ? subtractResources(available, need) : noResources;
  }
  return { ...room, available };
}
