import {
  Health,
  type JobInstance,
  JobState,
  type JobStatus,
  type JobSummary,
  JobVolumeState,
  type Obstacle,
  TaskState,
} from "@muster/proto";
import { enumName, enumWord } from "../../output/states.ts";
import { rfc3339 } from "../../output/times.ts";
import { deploymentJson } from "./deployment-words.ts";

/** A job as `job status --json` prints it. Scripts rely on these names. */
export interface JobJson {
  readonly name: string;
  readonly type: string;
  /** pending, running, complete, failed or stopped. */
  readonly status: string;
  readonly version: number;
  readonly desired: number;
  readonly running: number;
  readonly healthy: number;
  readonly instances: readonly InstanceJson[];
  /** What stands in the way; empty if nothing does. */
  readonly message: string;
  readonly rejections: readonly RejectionJson[];
  /** The same summed up, each with what would change it. */
  readonly obstacles: readonly ReturnType<typeof obstacleJson>[];
  /** What is kept for its instances, on the agents where these run and nowhere else. */
  readonly volumes: readonly VolumeJson[];
  /** The roll-out of its version; null where there is none. */
  readonly deployment: ReturnType<typeof deploymentJson> | null;
}

export interface InstanceJson {
  /** Id of its task; the instance's name while it has none. */
  readonly id: string;
  /** The protocol's name, for instance TASK_RUNNING. */
  readonly state: string;
  readonly healthy: boolean;
  /** Name of its agent. */
  readonly agent: string;
  readonly pid: number;
  readonly ip: string;
  /** Port by label, at `ip`. */
  readonly ports: Readonly<Record<string, number>>;
  readonly reason: string;
}

export interface VolumeJson {
  readonly instance: string;
  readonly name: string;
  /** Of the volume and of its reservation. */
  readonly id: string;
  readonly agent: string;
  readonly sizeMiB: number;
  /** planned, used or kept. */
  readonly state: string;
}

export interface RejectionJson {
  readonly group: string;
  readonly agent: string;
  readonly reason: string;
}

export function jobJson(job: JobStatus): JobJson {
  const summary = summaryOf(job);
  const checks = groupsWithChecks(job.definition);
  return {
    name: summary.name,
    type: summary.type,
    status: enumWord(JobState, summary.state, "JOB_STATE_"),
    version: summary.version,
    desired: summary.desired,
    running: summary.running,
    healthy: summary.healthy,
    instances: job.instances.map((instance) => instanceJson(instance, checks.has(instance.group))),
    message: job.message,
    rejections: job.rejections.map(({ group, agentName, agentId, reason }) => ({
      group,
      agent: agentName || agentId,
      reason,
    })),
    obstacles: job.obstacles.map(obstacleJson),
    volumes: job.volumes.map(({ instance, name, volumeId, agentName, agentId, diskMiB, state }) => ({
      ...{ instance, name, id: volumeId, agent: agentName || agentId, sizeMiB: diskMiB },
      state: enumWord(JobVolumeState, state, "JOB_VOLUME_STATE_"),
    })),
    deployment: job.deployment ? deploymentJson(job.deployment) : null,
  };
}

export function obstacleJson({ group, agentCount, agentNames, reason, remedy }: Obstacle) {
  return { group, agents: agentCount, names: agentNames, reason, remedy };
}

/** One line of `job list --json`. */
export function summaryJson(summary: JobSummary) {
  return {
    name: summary.name,
    type: summary.type,
    status: enumWord(JobState, summary.state, "JOB_STATE_"),
    version: summary.version,
    desired: summary.desired,
    running: summary.running,
    healthy: summary.healthy,
    role: summary.role,
    submittedAt: rfc3339(summary.submittedAt),
    nextRunAt: rfc3339(summary.nextRunAt),
    parent: summary.parent || null,
  };
}

export function summaryOf(job: JobStatus): JobSummary {
  if (!job.summary) throw new Error("a job without its summary");
  return job.summary;
}

function instanceJson(instance: JobInstance, hasChecks: boolean): InstanceJson {
  return {
    id: instance.taskId || instance.instance,
    state: enumName(TaskState, instance.state),
    healthy: isHealthy(instance, hasChecks),
    agent: instance.agentName || instance.agentId,
    pid: instance.pid,
    ip: instance.ip,
    ports: Object.fromEntries(instance.ports.map(({ label, number, to }) => [label, number || to])),
    reason: instance.reason,
  };
}

/** Groups of which several tasks are shown: their instances have one name for all of them. */
export function groupsOfSeveral({ instances }: JobStatus): ReadonlySet<string> {
  const tasks = new Map<string, string>();
  const several = new Set<string>();
  for (const { group, task } of instances) {
    if ((tasks.get(group) ?? task) !== task) several.add(group);
    tasks.set(group, task);
  }
  return several;
}

/** What people call it: the instance, and its task where the group has several. */
export function instanceName({ instance, group, task }: JobInstance, several: ReadonlySet<string>): string {
  return several.has(group) ? `${instance}/${task}` : instance;
}

/** A running instance without checks is healthy; one with checks is so once they have passed. */
export function isHealthy(instance: JobInstance, hasChecks: boolean): boolean {
  if (instance.state !== TaskState.TASK_RUNNING) return false;
  return instance.health === Health.HEALTH_HEALTHY || (!hasChecks && instance.health === Health.HEALTH_UNSPECIFIED);
}

interface DefinitionParts {
  readonly groups?: readonly {
    readonly name?: string;
    readonly services?: readonly { readonly checks?: readonly unknown[] }[];
    readonly tasks?: readonly { readonly services?: readonly { readonly checks?: readonly unknown[] }[] }[];
  }[];
}

/** Names of the groups of an evaluated job that have health checks. */
export function groupsWithChecks(definition: Uint8Array): Set<string> {
  const names = new Set<string>();
  if (definition.length === 0) return names;
  const { groups = [] } = JSON.parse(Buffer.from(definition).toString("utf8")) as DefinitionParts;
  for (const { name = "", services = [], tasks = [] } of groups) {
    const all = [...services, ...tasks.flatMap((task) => task.services ?? [])];
    if (all.some(({ checks = [] }) => checks.length > 0)) names.add(name);
  }
  return names;
}
