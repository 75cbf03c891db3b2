import { invalid, isTerminal, type MusterError } from "@muster/foundation";
import { type Acknowledgement, StatusSource, type TaskStatus } from "@muster/proto";
import type { Core } from "./core.ts";
import { forgetCompleted } from "./framework-life.ts";
import type { Agent } from "./model.ts";
import { changeStatus, learnPorts, retire } from "./tasks.ts";

/** Takes in news of a task and passes it on. O(1). */
export function takeStatus(core: Core, agent: Agent, status: TaskStatus, field: string): MusterError | undefined {
  if (status.taskId === "") return invalid(`${field}.task_id`, "must not be empty");
  if (status.agentId !== agent.id) return invalid(`${field}.agent_id`, `must be ${agent.id}`);
  if (status.state === 0) return invalid(`${field}.state`, "must be said");
  const framework = core.state.frameworks.get(status.frameworkId);
  if (framework === undefined || framework.state === "completed") {
    acknowledge(core, agent, status);
    const task = framework?.tasks.get(status.taskId);
    if (framework && task !== undefined && task.group.launchId === status.launchId && !isTerminal(task.state)) {
      changeStatus(core, task, status);
      if (isTerminal(status.state)) {
        retire(core, task);
        forgetCompleted(core, framework);
      }
    }
    return undefined;
  }
  const task = framework.tasks.get(status.taskId);
  if (task === undefined || task.group.launchId !== status.launchId) {
    // Its end may be acknowledged already, or it was told to another master: the framework knows what to make of it.
    const ended = framework.history.get(status.taskId);
    if (ended !== undefined && ended.group.launchId === status.launchId && contradicts(ended.status, status)) {
      core.count("statuses", "late");
      acknowledge(core, agent, status);
      return undefined;
    }
    core.count("statuses", "unknown");
    core.toFramework(framework, "updates", status, 180 + status.message.length);
    return undefined;
  }
  if (status.sequence > task.sequence || (status.sequence === 0 && status.state !== task.state)) {
    if (isTerminal(task.state)) {
      // The first end of a task is final; its agent may forget the other.
      core.count("statuses", "late");
      acknowledge(core, agent, status);
      return undefined;
    }
    // One string for each id, not one for each message that named it.
    status.taskId = task.id;
    status.launchId = task.group.launchId;
    status.frameworkId = framework.id;
    status.agentId = agent.id;
    task.sequence = status.sequence;
    task.heard = true;
    learnPorts(task.group, status);
    changeStatus(core, task, status);
    core.count("statuses", "new");
  } else {
    core.count("statuses", "again");
  }
  if (status.updateId !== "") task.pending = status;
  core.toFramework(framework, "updates", status, 180 + status.message.length);
  if (status.updateId === "" && isTerminal(status.state)) retire(core, task);
  return undefined;
}

/** A terminal state that the master made up itself, and another one of the agent. */
function contradicts(known: TaskStatus, told: TaskStatus): boolean {
  return known.source === StatusSource.STATUS_SOURCE_MASTER && known.updateId !== told.updateId;
}

/** In a framework's place, where it must not or cannot hear of it. */
function acknowledge(core: Core, agent: Agent, status: TaskStatus): void {
  if (status.updateId === "") return;
  const { frameworkId, taskId, updateId } = status;
  core.toAgent(agent.connection, "acknowledgements", { frameworkId, taskId, updateId }, 100);
}

/** Passes an acknowledgement on to the agent. One that does not fit what was sent is counted and ignored. */
export function takeAcknowledgement(core: Core, frameworkId: string, ack: Acknowledgement): void {
  const framework = core.state.frameworks.get(frameworkId);
  if (framework === undefined) return;
  const task = framework.tasks.get(ack.taskId);
  if (task !== undefined) {
    if (task.pending === undefined || task.pending.updateId !== ack.updateId) {
      core.count("acknowledgements", "foreign");
      return;
    }
    const acknowledged = task.pending;
    task.pending = undefined;
    if (isTerminal(acknowledged.state) && isTerminal(task.state)) retire(core, task);
  }
  const agent = task?.group.agent ?? core.state.agents.get(ack.agentId);
  core.count("acknowledgements", "passed");
  if (agent === undefined || agent.connection === 0) return;
  core.toAgent(agent.connection, "acknowledgements", { frameworkId, taskId: ack.taskId, updateId: ack.updateId }, 100);
}
