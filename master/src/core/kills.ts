import { StatusReason } from "@muster/proto";
import type { Core } from "./core.ts";
import type { Task } from "./model.ts";

/** Tells an agent to end a task. Saying it twice does no harm. */
export function sendKill(core: Core, task: Task): void {
  const { agent, framework } = task.group;
  const { graceMs, reason = StatusReason.STATUS_REASON_UNSPECIFIED, message } = task.kill ?? {};
  const kill = {
    ...{ frameworkId: framework.id, taskId: task.id, reason },
    ...(graceMs === undefined ? {} : { graceMs }),
    ...(message === undefined ? {} : { message }),
  };
  core.toAgent(agent.connection, "kills", kill, 80 + (message?.length ?? 0));
}
