import { StatusReason, TaskState } from "@muster/proto";
import { findDriver } from "../../drivers/drivers.ts";
import { limitsOf } from "../../networks/limits/limits.ts";
import { findNetwork } from "../../networks/networks.ts";
import { hostMountFault } from "../../volumes/host-volumes.ts";
import { isServed } from "./executor-model.ts";
import { executorFault } from "./executor-tasks.ts";
import { hostAddress } from "./host-networks.ts";
import type { AgentState, Group, LaunchRequest, Task } from "./model.ts";
import { pairKey } from "./model.ts";
import { lackingMode } from "./overlays.ts";
import { modeOfPort, networkOfPort, placesOf, settingsAt } from "./places.ts";
import { unsupportedCheck } from "./probe-target.ts";
import { userOf } from "./set-aside/users.ts";
import { networkOwners } from "./task-networks.ts";

/** How a launch ends that is not begun. */
export interface Refusal {
  readonly state: TaskState;
  readonly reason: StatusReason;
  readonly message: string;
  /** Index of the task that is to blame; undefined: it concerns the group as a whole. */
  readonly culprit?: number;
}

/** The task of that name that has not ended. */
export function livingTask(state: AgentState, frameworkId: string, taskId: string): Task | undefined {
  return state.named.get(pairKey(frameworkId, taskId))?.find((task) => task.phase !== "ended");
}

export function duplicateRefusal(task: Task): Refusal {
  return {
    state: TaskState.TASK_ERROR,
    reason: StatusReason.REASON_DUPLICATE_TASK,
    message: `task ${task.info.taskId} lives already, from launch ${task.group.launchId}`,
  };
}

/** Why the group can't be started at all, before anything is tried. Undefined: nothing speaks against it. */
export function whyNot(state: AgentState, group: Group, request: LaunchRequest): Refusal | undefined {
  const { config } = state;
  const wrongTask = request.tasks.findIndex((task) => task.problem !== "");
  if (wrongTask >= 0) {
    const message = request.tasks[wrongTask]?.problem ?? "";
    return { state: TaskState.TASK_ERROR, reason: StatusReason.REASON_TASK_INVALID, message, culprit: wrongTask };
  }
  if (state.refusing !== "") return refusalWhile(state);
  if (isDiskFull(state)) return dropped(StatusReason.REASON_DISK, diskMessage(state));
  if (livingCount(state) > config.tasksMax)
    return dropped(StatusReason.REASON_RESOURCES_MISSING, `the agent has ${config.tasksMax} tasks, its maximum`);
  const volume = group.volumes.find(({ volumeId }) => !state.setAside.kept.volumes.has(volumeId));
  if (volume) return dropped(StatusReason.REASON_VOLUME_UNAVAILABLE, `volume ${volume.volumeId} is not on this agent`);
  for (const { volumeId } of group.volumes) {
    const user = userOf(state, volumeId, group);
    if (user === undefined) continue;
    const message = `volume ${volumeId} is used by launch ${user.launchId}`;
    return dropped(StatusReason.REASON_VOLUME_UNAVAILABLE, message);
  }
  const served = isServed(group) ? group.tasks.findIndex(({ templates }) => templates) : -1;
  if (served >= 0) {
    const message = "templates, secrets: what is given to a custom executor has none; leave them out";
    return { state: TaskState.TASK_ERROR, reason: StatusReason.REASON_TASK_INVALID, message, culprit: served };
  }
  for (const [culprit, { spec }] of group.tasks.entries()) {
    const message = hostMountFault(spec, config.hostVolumes);
    if (message !== undefined) return { ...dropped(StatusReason.REASON_VOLUME_UNAVAILABLE, message), culprit };
  }
  const fault = executorFault(state, group);
  if (fault || isServed(group)) return fault;
  for (const { mode } of placesOf(group)) {
    const lack = lackingMode(state, mode);
    if (lack)
      return lack.isPassing ? dropped(StatusReason.REASON_UNSUPPORTED, lack.message) : unsupported(lack.message);
    if (!findNetwork(mode)) return unsupported(`network mode ${mode} is not known to this agent`);
  }
  const portless = group.ports.find((port) => !networkOfPort(group, port)?.hasPorts);
  if (portless) {
    const message = `ports: network mode ${modeOfPort(group, portless)} has none; leave them out, or use another mode`;
    return { state: TaskState.TASK_ERROR, reason: StatusReason.REASON_TASK_INVALID, message };
  }
  const elsewhere = group.ports.find((port) => hostAddress(state, port) === undefined);
  if (elsewhere)
    return unsupported(
      `ports: "${elsewhere.label}" is to be open on host network ${elsewhere.hostNetwork}, which this agent lacks; it has ` +
        ([...state.hostNetworks.keys()].join(", ") || "none with a name"),
    );
  if (networkOwners(group).length > 0 && !config.networkModes.has("none"))
    return unsupported("networks of single tasks can't be made on this agent; `muster agent status` says why");
  const unlimited = whyNoLimits(state, group);
  if (unlimited) return unlimited;
  for (const [culprit, task] of group.tasks.entries()) {
    const { spec } = task;
    const driver = config.drivers.has(spec.driver) ? findDriver(spec.driver) : undefined;
    if (!driver) return { ...unsupported(`driver ${spec.driver} is not available on this agent`), culprit };
    const wrong = driver.validate(spec, config);
    if (wrong !== undefined) return { state: stateOf(wrong.reason), ...wrong, culprit };
    if (task.templates && !config.hasMaterials)
      return { ...unsupported("this agent can make no files from templates and read no secrets"), culprit };
    const check = unsupportedCheck(task);
    if (check !== undefined) return { ...check, culprit };
  }
  return undefined;
}

/** Bounds of a network that are asked for are kept or the group is refused, never left out. */
function whyNoLimits({ config }: AgentState, group: Group): Refusal | undefined {
  const limited = [
    ...(limitsOf(group.network) ? [group.networkMode] : []),
    ...group.more.flatMap((place) => (limitsOf(settingsAt(group.network, place)) ? [place.mode] : [])),
  ];
  if (limited.length === 0) return undefined;
  const boundless = limited.find((mode) => !findNetwork(mode)?.takesLimits);
  if (boundless !== undefined) {
    const message = `network: mode ${boundless} can have no limits; use mode bridge`;
    return { state: TaskState.TASK_ERROR, reason: StatusReason.REASON_TASK_INVALID, message };
  }
  if (config.attributes["network.limits"] !== undefined) return undefined;
  return unsupported("limits of networks can't be kept on this agent; `muster agent status` says why");
}

/** A wrong description would fail anywhere, a lack of this agent may not. */
function stateOf(reason: StatusReason): TaskState {
  return reason === StatusReason.REASON_TASK_INVALID ? TaskState.TASK_ERROR : TaskState.TASK_FAILED;
}

function livingCount(state: AgentState): number {
  let count = 0;
  for (const task of state.tasks.values()) if (task.phase !== "ended") count++;
  return count;
}

function refusalWhile(state: AgentState): Refusal {
  if (state.refusing === "disk") return dropped(StatusReason.REASON_DISK, "the agent's disk is failing");
  if (state.refusing === "draining") return dropped(StatusReason.REASON_AGENT_DRAINING, "the agent is being drained");
  return dropped(StatusReason.REASON_AGENT_SHUTDOWN, "the agent is shutting down");
}

export function dropped(reason: StatusReason, message: string): Refusal {
  return { state: TaskState.TASK_DROPPED, reason, message };
}

function unsupported(message: string): Refusal {
  return { state: TaskState.TASK_ERROR, reason: StatusReason.REASON_UNSUPPORTED, message };
}

export function isDiskFull({ disk, config }: AgentState): boolean {
  if (disk.totalBytes === 0) return false;
  return disk.freeBytes < Math.max(config.diskFreeBytesMin, disk.totalBytes * config.diskFreeFractionMin);
}

function diskMessage({ disk }: AgentState): string {
  return `only ${Math.floor(disk.freeBytes / 2 ** 20)} MiB of the agent's disk are free`;
}
