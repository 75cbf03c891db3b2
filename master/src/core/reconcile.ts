import { isTerminal } from "@muster/foundation";
import { type Reconcile, StatusReason, type TaskQuestion, TaskState, type TaskStatus } from "@muster/proto";
import { type Core, idsOf } from "./core.ts";
import { limits } from "./limits.ts";
import type { Framework, Task } from "./model.ts";
import { findTask } from "./tasks.ts";

/** Answers a framework's question about its tasks, and says when the answer is whole. */
export function reconcile(core: Core, framework: Framework, question: Reconcile): void {
  if (question.tasks.length > limits.questionsPerReconcile) {
    const message = `at most ${limits.questionsPerReconcile} tasks a question`;
    core.refuse(framework, "reconcile", question.reconcileId, "too-many", message, "tasks");
    return;
  }
  const inDoubt: TaskQuestion[] = [];
  if (question.tasks.length === 0)
    for (const task of framework.tasks.values()) tell(core, framework, presentStatus(core, task));
  for (const asked of question.tasks) {
    const status = answer(core, framework, asked);
    if (status === undefined) inDoubt.push({ taskId: asked.taskId, agentId: asked.agentId });
    else tell(core, framework, status);
  }
  const agentsAwaited = [...core.state.awaited].map((agent) => agent.id);
  const complete = question.tasks.length === 0 ? agentsAwaited.length === 0 : inDoubt.length === 0;
  core.toFramework(
    framework,
    "reconciled",
    { reconcileId: question.reconcileId, complete, inDoubt, agentsAwaited },
    64 + inDoubt.length * 48 + agentsAwaited.length * 24,
  );
}

function tell(core: Core, framework: Framework, status: TaskStatus): void {
  core.toFramework(framework, "updates", status, 200);
}

/** The state of a task as an answer: unnumbered, and nothing to acknowledge. */
export function presentStatus(core: Core, task: Task): TaskStatus {
  const { status } = task;
  const answer: TaskStatus = {
    ...core.status(idsOf(task), status.state, StatusReason.REASON_RECONCILIATION, status.message),
    source: status.source,
    at: status.at,
    health: status.health,
    signal: status.signal,
    container: status.container,
  };
  if (status.exitCode !== undefined) answer.exitCode = status.exitCode;
  return answer;
}

/** Undefined: nobody can say yet, since an agent that may have the task has not come back. */
export function answer(core: Core, framework: Framework, asked: TaskQuestion): TaskStatus | undefined {
  const task = findTask(framework, asked.taskId);
  // While its agent is away an old end may be followed by a new life that only the agent knows of.
  if (task !== undefined && !(isTerminal(task.state) && mayBeElsewhere(core, asked.agentId, task)))
    return presentStatus(core, task);
  const ids = { taskId: asked.taskId, launchId: "", frameworkId: framework.id, agentId: asked.agentId };
  const { REASON_RECONCILIATION } = StatusReason;
  if (asked.agentId === "") {
    if (core.state.awaited.size > 0) return undefined;
    return core.status(ids, TaskState.TASK_UNKNOWN, REASON_RECONCILIATION, "nobody knows this task");
  }
  const agent = core.state.agents.get(asked.agentId);
  if (core.state.gone.has(asked.agentId))
    return core.status(ids, TaskState.TASK_GONE, REASON_RECONCILIATION, "an operator has marked its agent as gone");
  if (agent === undefined)
    return core.status(ids, TaskState.TASK_UNKNOWN, REASON_RECONCILIATION, "nobody knows this task or its agent");
  if (agent.state === "awaited") return undefined;
  if (agent.state === "unreachable")
    return core.status(ids, TaskState.TASK_UNREACHABLE, REASON_RECONCILIATION, "its agent does not answer");
  return core.status(ids, TaskState.TASK_GONE, REASON_RECONCILIATION, "its agent does not have it");
}

function mayBeElsewhere(core: Core, agentId: string, task: Task): boolean {
  if (agentId === "" || agentId === task.group.agent.id) return false;
  return core.state.agents.get(agentId)?.state === "awaited";
}
