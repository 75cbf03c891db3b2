import { emptyMessage } from "@muster/foundation";
import type { TaskInfo, TaskSpec } from "@muster/proto";

export const emptyTaskInfo: TaskInfo = emptyMessage("TaskInfo");

/** Of a process of the host that is no program yet. */
export function emptySpec(): TaskSpec {
  return { ...emptyMessage("TaskSpec"), driver: "process" };
}
