import {
  type AgentRejection,
  type AgentTraits,
  agentRoom,
  type ClusterAgent,
  Health,
  isUsable,
  type JobInstance,
  JobState,
  type JobStatus,
  type JobSummary,
  type JobVersion,
  Matcher,
  type Obstacle,
  type Random,
  type Room,
  TaskState,
} from "@muster/framework-sdk";
import { maskedDefinition } from "@muster/jobspecs";
import { startsAfter, stopsAfter } from "./dependencies.ts";
import {
  awaitsPromotion,
  canaryBase,
  deploymentOf,
  describeDeployment,
  isHeld,
  versionServing,
} from "./deployments.ts";
import { keptMessages } from "./health-kills.ts";
import { agentsOf, pinnedNeed } from "./launching.ts";
import {
  groupOf,
  type Instance,
  isCurrent,
  type JobEntry,
  type JobVersionEntry,
  type Now,
  type ServicesState,
  servingMark,
  slotKey,
  slotKeyOf,
  type Want,
} from "./model.ts";
import { obstaclesOf, unusableAgents } from "./obstacles.ts";
import { slotsOf } from "./slots.ts";
import { jobVolumes } from "./volume-report.ts";
import { needWithVolumes, slotVolumes, volumesMessage } from "./volumes.ts";

/** Places whose volumes one message names. */
const boundMessagesMax = 5;
/** Rejections that one answer lists. */
export const rejectionsMax = 1_000;

/** What is known of the cluster besides one's own tasks. */
export interface Surroundings {
  readonly agents: ReadonlyMap<string, ClusterAgent>;
  readonly isKnown: boolean;
  readonly random: Random;
}

/** One line about a job. O(instances of the job). */
export function jobSummary(entry: JobEntry, agents: ReadonlyMap<string, ClusterAgent>): JobSummary {
  const counts = countInstances(entry, agents);
  const { job, record } = entry.current;
  return {
    name: entry.name,
    type: job.type,
    state: jobState(entry, counts),
    version: record.version,
    desired: counts.desired,
    running: counts.running,
    healthy: counts.healthy,
    role: job.role,
    submittedAt: record.submittedAt,
    nextRunAt: 0,
    updated: counts.updated,
    parent: "",
  };
}

interface Counts {
  desired: number;
  running: number;
  healthy: number;
  /** Slots whose instance of the current version runs. */
  filled: number;
  /** Slots whose instance of the current version is healthy. */
  updated: number;
}

function countInstances(entry: JobEntry, agents: ReadonlyMap<string, ClusterAgent>): Counts {
  const counts: Counts = { desired: 0, running: 0, healthy: 0, filled: 0, updated: 0 };
  const instances = [...entry.instances.values()];
  for (const group of entry.current.job.groups) {
    const own = instances.filter((instance) => instance.group === group.name);
    counts.desired += slotsOf(entry, group, agents, own).length;
  }
  const filled = new Set<string>();
  const updated = new Set<string>();
  for (const instance of instances) {
    if (instance.isKilling || instance.runningSinceMs === undefined) continue;
    const isHealthy = instance.healthySinceMs !== undefined;
    counts.running++;
    if (isHealthy) counts.healthy++;
    if (!isCurrent(entry, instance)) continue;
    const key = slotKey(instance.group, instance.index);
    filled.add(key);
    if (isHealthy) updated.add(key);
  }
  counts.filled = filled.size;
  counts.updated = updated.size;
  return counts;
}

function jobState(entry: JobEntry, { desired, filled }: Counts): JobState {
  if (entry.isStopped) return JobState.JOB_STATE_STOPPED;
  if (filled >= desired) return JobState.JOB_STATE_RUNNING;
  for (const { givenUp } of entry.restarts.values()) if (givenUp !== undefined) return JobState.JOB_STATE_FAILED;
  return JobState.JOB_STATE_PENDING;
}

/** All about one job, with the reason of everything that is not as wanted. */
export function jobStatus(state: ServicesState, entry: JobEntry, around: Surroundings, now: Now): JobStatus {
  const { rejections, obstacles, waitCount } = explainWaiting(entry, around);
  const lines: string[] = [];
  if (!state.isReconciled && !entry.isNew) lines.push("waiting to hear of its tasks from all agents");
  lines.push(...awayMessages(entry), ...keptMessages(entry), ...moveMessages(entry));
  lines.push(...orderMessages(state, entry, around));
  if (waitCount > 0) lines.push(waitingMessage(entry, now, waitCount, rejections, around));
  lines.push(...boundMessages(entry, around));
  if (entry.isOverdue) lines.push(`version ${entry.current.record.version} has made no progress for too long`);
  const { status, reason } = deploymentOf(entry.current.record);
  if (isHeld(entry.current)) lines.push(`its deployment is ${status}${reason === "" ? "" : `: ${reason}`}`);
  else if (awaitsPromotion(entry)) lines.push("its canaries are healthy and wait to be promoted");
  lines.push(...restartMessages(entry, now));
  return {
    summary: jobSummary(entry, around.agents),
    instances: jobInstances(entry, around.agents),
    rejections,
    obstacles,
    message: lines.join("; "),
    definition: Buffer.from(maskedDefinition(entry.current.record.definition)),
    source: entry.current.record.source,
    deployment: describeDeployment(entry, entry.current),
    volumes: jobVolumes(entry, around.agents),
  };
}

/** Who is out of reach and not replaced, since the job says so. */
function awayMessages({ current, instances }: JobEntry): string[] {
  return current.job.groups.flatMap(({ name, disconnect }) => {
    if (disconnect?.replace !== false) return [];
    let count = 0;
    for (const { group, isKilling, unreachableSinceMs } of instances.values())
      if (group === name && !isKilling && unreachableSinceMs !== undefined) count++;
    if (count === 0) return [];
    const who = count === 1 ? "1 instance" : `${count} instances`;
    return [`${who} of group ${name} ${count === 1 ? "is" : "are"} out of reach and not replaced: replace = false`];
  });
}

function moveMessages({ instances }: JobEntry): string[] {
  let count = 0;
  for (const { move, isKilling } of instances.values()) if (move !== undefined && !isKilling) count++;
  return count === 0
    ? []
    : [`${count === 1 ? "1 instance goes" : `${count} instances go`} to other agents: job rebalance`];
}

/** Places that wait for what they have somewhere, the first few. */
function boundMessages(entry: JobEntry, { agents }: Surroundings): string[] {
  const lines: string[] = [];
  for (const key of [...entry.waiting.keys()].sort()) {
    const at = key.lastIndexOf("/");
    const group = groupOf(entry.current, key.slice(0, at));
    const line = group && volumesMessage(entry, group, Number(key.slice(at + 1)), agents);
    if (line !== undefined) lines.push(line);
    if (lines.length >= boundMessagesMax) break;
  }
  return lines;
}

/** What comes before the start or after the end of others. */
function orderMessages(state: ServicesState, entry: JobEntry, { agents }: Surroundings): string[] {
  const after = stopsAfter(state, entry);
  if (after.length > 0) return [`it ends after what needs it: ${after.join(", ")}`];
  return entry.current.job.groups.flatMap((group) => {
    const reasons = startsAfter(state, entry, group, agents);
    return reasons.length === 0 ? [] : [`group ${group.name} does not start yet: ${reasons.join(", ")}`];
  });
}

/** When it was last offered something, and how much. */
function offersMessage({ offersSeen }: JobEntry, now: Now): string {
  if (offersSeen === undefined) return "";
  const { count, atMs } = offersSeen;
  const seconds = Math.floor((now.monotonicMs - atMs) / 1_000);
  return ` (${count === 1 ? "1 offer" : `${count} offers`} looked at ${seconds} s ago, none of them fits)`;
}

function waitingMessage(
  entry: JobEntry,
  now: Now,
  count: number,
  rejections: readonly AgentRejection[],
  { agents, isKnown }: Surroundings,
): string {
  const who = count === 1 ? "1 instance waits" : `${count} instances wait`;
  if (!isKnown) return `${who} for an offer${offersMessage(entry, now)}`;
  const usable = [...agents.values()].filter(isUsable).length;
  if (usable === 0) return `${who}: no agent is registered`;
  const refusing = new Set(rejections.map(({ agentId }) => agentId)).size;
  if (refusing < usable) return `${who} for an offer${offersMessage(entry, now)}`;
  const none = usable === 1 ? "the only agent can't take it" : `none of ${usable} agents can take it`;
  return `${who}: ${none}${offersMessage(entry, now)}`;
}

function restartMessages(entry: JobEntry, now: Now): string[] {
  const lines: string[] = [];
  if (entry.isStopped) return lines;
  for (const [key, restarts] of entry.restarts) {
    if (lines.length >= 5) break;
    if (hasLive(entry, key) || isPast(entry, key)) continue;
    const slot = key.replace(servingMark, "");
    if (restarts.givenUp !== undefined) lines.push(`${slot}: ${restarts.givenUp}: ${restarts.lastEnd}`);
    else if (restarts.nextTryAt > now.epochMs)
      lines.push(
        `${slot}: ${restarts.lastEnd}; next try in ${Math.ceil((restarts.nextTryAt - now.epochMs) / 1_000)} s`,
      );
  }
  return lines;
}

/** Its place is gone: the job was scaled down. */
function isPast({ current }: JobEntry, key: string): boolean {
  const at = key.lastIndexOf("/");
  const group = groupOf(current, key.slice(0, at).replace(servingMark, ""));
  return group !== undefined && current.job.type !== "system" && Number(key.slice(at + 1)) >= group.count;
}

function hasLive(entry: JobEntry, key: string): boolean {
  for (const instance of entry.instances.values())
    if (!instance.isKilling && keyOf(entry, instance) === key) return true;
  return false;
}

/** Under which key the restarts of an instance stand. */
function keyOf(entry: JobEntry, instance: Instance): string {
  const version = versionServing(entry, instance) ?? entry.current;
  return slotKeyOf(entry, version, instance.group, instance.index);
}

/** Why slots that wait for an agent wait: per group and agent the first reason. */
function explainWaiting(
  entry: JobEntry,
  around: Surroundings,
): { rejections: AgentRejection[]; obstacles: Obstacle[]; waitCount: number } {
  const rejections: AgentRejection[] = [];
  const obstacles: Obstacle[] = [];
  let waitCount = 0;
  for (const group of entry.current.job.groups) {
    const all = [...entry.waiting.keys()];
    const serving = all.filter((key) => key.startsWith(`${group.name}${servingMark}/`));
    const keys = all.filter((key) => key.startsWith(`${group.name}/`));
    const version = (keys.length > 0 ? undefined : canaryBase(entry, group)) ?? entry.current;
    const need = version.needs.get(group.name);
    const first = [...keys, ...serving][0];
    if (need === undefined || first === undefined) continue;
    waitCount += keys.length + serving.length;
    const open = rooms(around.agents);
    const matcher = new Matcher(open, around.random);
    const index = Number(first.slice(first.lastIndexOf("/") + 1));
    const slots = slotsOf(entry, group, around.agents, []);
    const kept = slotVolumes(entry, group, index);
    const home = kept[0] && { index, agentId: kept[0].record.agentId };
    const slot = home ?? slots.find((one) => one.index === index) ?? { index, agentId: undefined };
    const whole = needWithVolumes(need, group, kept);
    const want: Want = { entry, version, group, slot, need: whole, role: entry.current.job.role, sinceMs: 0 };
    for (const { agentId, agentName, reason } of matcher.explain(pinnedNeed(want), matcher.occupants(agentsOf(want))))
      if (rejections.length < rejectionsMax && (slot.agentId === undefined || slot.agentId === agentId))
        rejections.push({ group: group.name, agentId, agentName, reason });
    obstacles.push(...obstaclesOf(group.name, need, open, rejections), ...unusableAgents(group.name, around));
  }
  return { rejections, obstacles, waitCount };
}

/** Every agent, as a room where it could take something. */
export function* places(agents: ReadonlyMap<string, ClusterAgent>): Iterable<AgentTraits> {
  for (const { agentId, name, attributes, ...agent } of agents.values())
    if (!isUsable(agent)) yield { agentId, agentName: name, attributes };
  yield* rooms(agents);
}

/** What could be had on each agent: offers that are out come back if they are not used. */
export function rooms(agents: ReadonlyMap<string, ClusterAgent>): Room[] {
  return [...agents.values()].filter(isUsable).map((agent) => agentRoom(agent));
}

export function jobInstances(entry: JobEntry, agents: ReadonlyMap<string, ClusterAgent>): JobInstance[] {
  const made: JobInstance[] = [];
  const seen = new Set<string>();
  const sorted = [...entry.instances.values()].sort((a, b) =>
    a.group === b.group ? a.index - b.index : a.group < b.group ? -1 : 1,
  );
  for (const instance of sorted) {
    if (!instance.isKilling) seen.add(slotKey(instance.group, instance.index));
    for (const view of instance.tasks.values()) made.push(taskInstance(entry, instance, view.taskId, agents));
  }
  for (const [key, restarts] of entry.restarts) {
    if (seen.has(key) || entry.isStopped) continue;
    const at = key.lastIndexOf("/");
    const group = key.slice(0, at);
    const index = Number(key.slice(at + 1));
    const kept = groupOf(entry.current, group);
    if (kept === undefined || isPast(entry, key)) continue;
    made.push(endedInstance(entry, group, index, restarts.givenUp ?? restarts.lastEnd, kept.tasks[0]?.name ?? ""));
  }
  return made;
}

function taskInstance(
  entry: JobEntry,
  instance: Instance,
  taskId: string,
  agents: ReadonlyMap<string, ClusterAgent>,
): JobInstance {
  const view = instance.tasks.get(taskId);
  const agent = agents.get(instance.agentId);
  const restarts = entry.restarts.get(slotKey(instance.group, instance.index));
  const isHealthy = view?.state === TaskState.TASK_RUNNING && !view.hasChecks;
  const made: JobInstance = {
    instance: `${entry.name}.${instance.group}.${instance.index}`,
    taskId,
    group: instance.group,
    task: view?.name ?? "",
    index: instance.index,
    state: view?.state ?? TaskState.TASK_UNKNOWN,
    health: isHealthy ? Health.HEALTH_HEALTHY : (view?.health ?? Health.HEALTH_UNSPECIFIED),
    agentId: instance.agentId,
    agentName: agent?.name ?? instance.agentName,
    pid: view?.pid ?? 0,
    ip: view?.ports[0]?.ip ?? view?.ips[0] ?? agent?.ip ?? "",
    ports: [...(view?.ports ?? [])],
    reason: view?.message ?? "",
    version: instance.version,
    startedAt: instance.startedAt,
    restartCount: (restarts?.restartCount ?? 0) + (view?.restartCount ?? 0),
    nextTryAt: view?.nextTryAt ?? 0,
  };
  if (view?.exitCode !== undefined) made.exitCode = view.exitCode;
  return made;
}

/** An instance that has ended and is not there again yet. */
function endedInstance(entry: JobEntry, group: string, index: number, reason: string, task: string): JobInstance {
  const restarts = entry.restarts.get(slotKey(group, index));
  const made: JobInstance = {
    instance: `${entry.name}.${group}.${index}`,
    taskId: "",
    group,
    task,
    index,
    state: TaskState.TASK_FAILED,
    health: Health.HEALTH_UNSPECIFIED,
    agentId: "",
    agentName: "",
    pid: 0,
    ip: "",
    ports: [],
    reason,
    version: entry.current.record.version,
    startedAt: 0,
    restartCount: restarts?.restartCount ?? 0,
    nextTryAt: restarts?.nextTryAt ?? 0,
  };
  if (restarts?.lastExitCode !== undefined) made.exitCode = restarts.lastExitCode;
  return made;
}

export function jobVersion({ record }: JobVersionEntry): JobVersion {
  const { version, submittedAt, cause, definition, source, stable } = record;
  return { version, submittedAt, cause, definition: Buffer.from(maskedDefinition(definition)), source, stable };
}
