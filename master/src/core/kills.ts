import { StatusReason } from "@muster/proto";
import type { Core } from "./core.ts";
import type { KillWish, Task } from "./model.ts";

/** Tells an agent to end a task, by default as it is wished for. Saying it twice does no harm. */
export function sendKill(core: Core, task: Task, wish: KillWish | undefined = task.kill): void {
  const { agent, framework } = task.group;
  const { graceMs, reason = StatusReason.STATUS_REASON_UNSPECIFIED, message } = wish ?? {};
  const kill = {
    ...{ frameworkId: framework.id, taskId: task.id, reason },
    ...(graceMs === undefined ? {} : { graceMs }),
    ...(message === undefined ? {} : { message }),
  };
  core.toAgent(agent.connection, "kills", kill, 80 + (message?.length ?? 0));
}
