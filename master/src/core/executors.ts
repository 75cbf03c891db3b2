import { invalid, type MusterError } from "@muster/foundation";
import {
  type ExecutorMessage,
  type RelayedMessage,
  type ShutdownExecutor,
  type TaskGroup,
  TaskState,
} from "@muster/proto";
import type { Core } from "./core.ts";
import { sendKill } from "./kills.ts";
import { limits } from "./limits.ts";
import type { Agent, Framework, Task } from "./model.ts";
import { idFault } from "./validate.ts";

/** Marks the launch that the master makes to start the executor of another one. */
const ownLaunchSuffix = ".executor";

function keyOf(frameworkId: string, executorId: string): string {
  return `${frameworkId}/${executorId}`;
}

/** The executor that groups can be given to: it has not ended, and nobody has asked for its end. */
export function livingExecutor(agent: Agent, frameworkId: string, executorId: string): Task | undefined {
  const task = agent.executors.get(keyOf(frameworkId, executorId));
  return task?.kill === undefined && task?.state !== TaskState.TASK_KILLING ? task : undefined;
}

/** A task of an agent is an executor. The newest of one id counts. */
export function noteExecutor(task: Task, executorId: string): void {
  const { agent, framework } = task.group;
  agent.executors.set(keyOf(framework.id, executorId), task);
}

/** The task has ended. O(executors of the agent). */
export function forgetExecutor(agent: Agent, ended: Task): void {
  for (const [key, task] of agent.executors) if (task === ended) agent.executors.delete(key);
}

/** What is wrong with what a group says of executors, apart from their tasks. */
export function executorFault(field: string, group: TaskGroup): MusterError | undefined {
  const { executor } = group;
  if (executor === null)
    return group.isExecutor ? invalid(`${field}.executor`, "must name the executor that its task is") : undefined;
  const fault = idFault(`${field}.executor.executor_id`, executor.executorId);
  if (fault) return fault;
  if (group.isExecutor)
    return group.tasks.length === 1 ? undefined : invalid(`${field}.tasks`, "an executor is one task");
  if ((group.networkMode !== "" && group.networkMode !== "host") || group.moreNetworks.length > 0)
    return invalid(`${field}.network_mode`, "must be empty: the tasks have the network of their executor");
  return undefined;
}

/** The group that starts the executor of another one. Undefined: that one does not say how. */
export function executorGroup(group: TaskGroup): TaskGroup | undefined {
  const { executor, launchId } = group;
  if (!executor?.task) return undefined;
  const { ports, networkMode, network, task, ...rest } = executor;
  return {
    launchId: `${launchId}${ownLaunchSuffix}`,
    tasks: [task],
    ports,
    networkMode,
    moreNetworks: [],
    network,
    executor: { ...rest, task: null, ports: [], networkMode: "", network: null },
    isExecutor: true,
    volumes: [],
  };
}

/** Passes bytes on to an executor. At most once: what can't be passed on now is refused. */
export function relayToExecutor(core: Core, framework: Framework, message: ExecutorMessage, field: string): void {
  const { executorId, data } = message;
  if (data.length > limits.executorMessageBytes) {
    const text = `must have at most ${limits.executorMessageBytes} bytes`;
    core.refuse(framework, "executor_message", executorId, "invalid", `${field}.data: ${text}`, `${field}.data`);
    return;
  }
  const found = findExecutor(core, framework, "executor_message", message, field);
  if (found === undefined) return;
  const { agent } = found.group;
  if (agent.state !== "registered") {
    const text = `agent ${agent.id} is not connected; the message is lost`;
    core.refuse(framework, "executor_message", executorId, "unavailable", text, `${field}.agent_id`);
    return;
  }
  core.toAgent(agent.connection, "executorMessages", { frameworkId: framework.id, executorId, data }, 64 + data.length);
}

/** The end of an executor is that of its task: wanted until it has ended, also of an agent that is away. */
export function shutDownExecutor(core: Core, framework: Framework, wish: ShutdownExecutor, field: string): void {
  const task = findExecutor(core, framework, "executor_shutdown", wish, field);
  if (task === undefined) return;
  task.kill = { graceMs: undefined };
  if (task.group.agent.state === "registered") sendKill(core, task);
}

function findExecutor(
  core: Core,
  framework: Framework,
  call: string,
  { agentId, executorId }: { agentId: string; executorId: string },
  field: string,
): Task | undefined {
  const agent = core.state.agents.get(agentId);
  const task = agent?.executors.get(keyOf(framework.id, executorId));
  if (task !== undefined) return task;
  const message = agent ? `agent ${agentId} has no executor ${executorId}` : `no agent ${agentId}`;
  core.refuse(framework, call, executorId, "not-found", message, `${field}.${agent ? "executor_id" : "agent_id"}`);
  return undefined;
}

/** Passes bytes of an executor on to its framework, if that is here. */
export function relayFromExecutor(
  core: Core,
  agent: Agent,
  message: RelayedMessage,
  field: string,
): MusterError | undefined {
  const { frameworkId, executorId, data } = message;
  if (data.length > limits.executorMessageBytes)
    return invalid(`${field}.data`, `must have at most ${limits.executorMessageBytes} bytes`);
  const framework = core.state.frameworks.get(frameworkId);
  if (framework === undefined) return undefined;
  core.toFramework(framework, "executorMessages", { agentId: agent.id, executorId, data }, 64 + data.length);
  return undefined;
}
