import type { AssignedPort, Health, Need, Random, TaskState, TaskStatus } from "@muster/framework-sdk";
import type { Job, TaskGroup } from "@muster/jobspecs";
import type { OutsideJob } from "./dependencies.ts";

/** The moment of a step: for durations, and for what people and other machines read. */
export interface Now {
  readonly monotonicMs: number;
  readonly epochMs: number;
}

/** What was done to a job to make a version. */
export type VersionCause = "run" | "scale" | "stop" | "revert";

export type DeploymentStatus = "running" | "paused" | "failed" | "cancelled" | "successful";

/** How the roll-out of a version stands, as it is kept with it. */
export interface DeploymentRecord {
  readonly status: DeploymentStatus;
  /** For people. */
  readonly reason: string;
  /** Groups whose canaries were accepted. */
  readonly promoted: readonly string[];
  /** Milliseconds since the epoch; 0: it goes on, or that is not known. */
  readonly endedAt: number;
}

/** One version of a job, as it is kept. */
export interface VersionRecord {
  readonly version: number;
  /** Milliseconds since the epoch. */
  readonly submittedAt: number;
  readonly cause: VersionCause;
  /** Canonical JSON. */
  readonly definition: string;
  /** As written. */
  readonly source: string;
  /** Its instances' files are given to those who name it. Absent: to nobody. */
  readonly filesToken?: string;
  /** All its instances were healthy once. */
  stable: boolean;
  /** The version whose instances were there when this one came. Absent: there were none, or it is not kept. */
  readonly triesFrom?: number;
  /** Absent: nobody has said anything of its roll-out yet. */
  deployment?: DeploymentRecord;
}

/** One version, ready to be worked with. */
export interface JobVersionEntry {
  readonly record: VersionRecord;
  readonly job: Job;
  /** Of each group: what its instances are made of. Instances of equal templates need not be replaced. */
  readonly templates: ReadonlyMap<string, string>;
  /** Of each group: what an instance needs of an agent. */
  readonly needs: ReadonlyMap<string, Need>;
  /** Of each group: which of its tasks have health checks, by their place. */
  readonly checked: ReadonlyMap<string, readonly boolean[]>;
}

/** Where the restarts of one instance stand. */
export interface RestartState {
  /** Failures in a row. */
  failureCount: number;
  /** When they happened, the last ones: for policies that count within an interval. */
  failedAt: number[];
  /** How often its restarts were used up and it was placed anew. */
  rescheduleCount: number;
  /** When that was, the last ones: for policies that count within an interval. */
  rescheduledAt: number[];
  /** Not before then, milliseconds since the epoch; 0: at once. */
  nextTryAt: number;
  /** How long that wait was when it began, milliseconds: a clock that is set back must not make it longer. */
  delayMs: number;
  /** No more tries: why. */
  givenUp: string | undefined;
  /** The version that failed: another begins anew. */
  version: number;
  /** Restarts, ever. */
  restartCount: number;
  /** Agents that it failed on, the last ones. */
  failedOn: string[];
  /** Launches in a row that did not reach their agent. */
  dropCount: number;
  /** How the last one ended, for people. */
  lastEnd: string;
  lastExitCode: number | undefined;
}

/** One task of an instance. */
export interface TaskView {
  readonly taskId: string;
  readonly name: string;
  readonly hasChecks: boolean;
  /** It comes to an end while its instance goes on: what stands before or after the start, or after the end. */
  readonly isPassing: boolean;
  state: TaskState;
  health: Health;
  message: string;
  exitCode: number | undefined;
  /** How often its agent has started it again. */
  restartCount: number;
  /** When its agent starts it again, milliseconds since the epoch; 0: it does not wait for that. */
  nextTryAt: number;
  pid: number;
  ips: readonly string[];
  ports: readonly AssignedPort[];
  /** Its agent asks whether to end it for its failing checks: since when, and when it was told to. As `monotonicMs`. */
  killAsked: { readonly sinceMs: number; toldMs: number | undefined } | undefined;
}

/** How a task ended. */
export type TaskEnd = Pick<TaskStatus, "taskId" | "state" | "reason" | "message" | "exitCode" | "signal">;

/** Where an instance is to go. */
export interface PendingMove {
  readonly toAgentId: string;
  /** Since when its successor is wanted, as `monotonicMs`; undefined: it is not its turn yet. */
  wantedSinceMs: number | undefined;
}

/** One launch of a group: its tasks start and end together. */
export interface Instance {
  /** "<epoch>-<n>": never used twice. */
  readonly id: string;
  /** Empty as long as only answers were heard that name none. */
  launchId: string;
  readonly jobName: string;
  readonly group: string;
  readonly index: number;
  version: number;
  readonly tasks: Map<string, TaskView>;
  /** How many tasks of its group go on for as long as it does, whether or not they have been heard of. */
  readonly taskCount: number;
  agentId: string;
  agentName: string;
  /** Its agent has begun it: what it does to its folders stays. */
  hasBegun: boolean;
  /** It was told to end. */
  isKilling: boolean;
  /** It is to go to another agent: a successor there first. Not kept over a restart of the framework. */
  move: PendingMove | undefined;
  /** The end of the first of its tasks that ended by itself: why the instance ends, whatever the others say then. */
  endedBy: TaskEnd | undefined;
  /** What is left of it was told to end, since one of its tasks has ended. */
  isEnding: boolean;
  /** Its agent was away for so long that another takes precedence. */
  cameBackLate: boolean;
  readonly launchedMs: number;
  /** Since when all its tasks run, as `monotonicMs`; undefined: they do not. */
  runningSinceMs: number | undefined;
  /** When it began to run, as `monotonicMs`, even if it does not any more. */
  ranSinceMs: number | undefined;
  /** Since when it runs and its checks pass. */
  healthySinceMs: number | undefined;
  /** Since when its agent does not answer. */
  unreachableSinceMs: number | undefined;
  /** Milliseconds since the epoch; 0: it did not run yet. */
  startedAt: number;
}

/** A place that one instance is to fill. */
export interface Slot {
  readonly index: number;
  /** The only agent that will do; undefined: any. */
  readonly agentId: string | undefined;
}

/** Who had a place before, and has left its files there. */
export interface Predecessor {
  readonly launchId: string;
  readonly agentId: string;
  /** Its agent gives copies to those who name it. Absent: to nobody. */
  readonly filesToken?: string;
}

export interface FoundPredecessor extends Predecessor {
  /** Of its agent; undefined: the cluster does not know that any more. */
  readonly address: string | undefined;
}

/** A volume of one place of a group, as State keeps it. */
export interface VolumeRecord {
  /** Of the volume, and of the reservation that its disk is. */
  readonly volumeId: string;
  readonly job: string;
  readonly group: string;
  readonly index: number;
  /** What its group calls it. */
  readonly name: string;
  readonly agentId: string;
  readonly agentName: string;
  readonly diskMiB: number;
  /** For whom its disk is reserved. */
  readonly role: string;
  /** Version of the job that it was made for. */
  readonly version: number;
}

/** A volume that a place keeps, whether or not an instance is there. */
export interface KeptVolume {
  readonly record: VolumeRecord;
  /** State has it. Until then nothing is made. */
  isKept: boolean;
  /** Its agent may have it: an instance was started on it, or this framework does not know. */
  isMade: boolean;
  /** When its agent was chosen, or it was read from State, as `monotonicMs`. */
  plannedMs: number;
}

/** A volume that nobody is to have any more, until nothing is left of it. */
export interface ReleasedVolume {
  readonly record: VolumeRecord;
  readonly releasedMs: number;
  /** State knows that it was given up. */
  isMarked: boolean;
}

export interface JobEntry {
  readonly name: string;
  /** Of the record in State, for compare-and-set. */
  stateVersion: number;
  isStopped: boolean;
  /** It is forgotten as soon as its tasks have ended. */
  isPurged: boolean;
  current: JobVersionEntry;
  /** Older ones, newest first. */
  history: JobVersionEntry[];
  /** How far the current version has come, and since when it has come no further; undefined: nobody has looked. */
  progress: { settledCount: number; sinceMs: number } | undefined;
  /** The current version came no further for as long as it may. */
  isOverdue: boolean;
  /** Of the current version: canaries that come first in all groups together, and how many of them have proved themselves. */
  canaries: { readonly wanted: number; readonly settled: number };
  /** Made by this process: no task of an earlier one can exist. */
  isNew: boolean;
  readonly instances: Map<string, Instance>;
  /** By "group/index". */
  readonly restarts: Map<string, RestartState>;
  /** Of the current version: when each waiting slot began to wait, by "group/index". */
  readonly waiting: Map<string, number>;
  /** How many offers were looked at last when something waited, and when, as `monotonicMs`; undefined: none yet. */
  offersSeen: { readonly count: number; readonly atMs: number } | undefined;
  /** By group: when each of its latest kills for failing checks stops counting, as `monotonicMs`. */
  readonly healthKills: Map<string, number[]>;
  /** Volumes of its places, by "group/index": those too of places that are not wanted now. */
  readonly volumes: Map<string, readonly KeptVolume[]>;
  /** Volumes of this version and earlier ones were given up; 0: none. */
  wipedVersion: number;
  /** Groups with sticky disks: whose files the next instance of a place takes over, by "group/index". */
  readonly predecessors: Map<string, Predecessor>;
  /** System jobs: which agent has which index, by "group/agent". */
  readonly systemIndexes: Map<string, number>;
}

/** An instance that is to be launched as soon as an offer fits. */
export interface Want {
  readonly entry: JobEntry;
  /** Which it is to be made of: the current one, or the one that serves while canaries prove themselves. */
  readonly version: JobVersionEntry;
  readonly group: TaskGroup;
  readonly slot: Slot;
  readonly need: Need;
  readonly role: string;
  readonly sinceMs: number;
  /** Whose files it takes over. Absent: nobody's. */
  readonly predecessor?: FoundPredecessor | undefined;
}

export interface ServicesState {
  /** Where secrets come from. */
  readonly secrets: Random;
  /** Counts the starts of this framework; part of every id. */
  epoch: number;
  launchCount: number;
  readonly jobs: Map<string, JobEntry>;
  /** Instances by the ids of their tasks. */
  readonly byTask: Map<string, Instance>;
  /** Instances of jobs that are not known, to be ended once it is sure that they are nobody's. */
  readonly orphans: Map<string, string>;
  /** Volumes that are to be removed, by id. */
  readonly released: Map<string, ReleasedVolume>;
  /** Every task of earlier sessions is known. */
  isReconciled: boolean;
  /** Jobs to be looked at again. */
  readonly dirty: Set<string>;
  /** Jobs whose restarts are to be kept. */
  readonly restartsChanged: Set<string>;
  /** Which job and group task ids belong to, by how they begin. */
  readonly prefixes: Map<string, GroupRef>;
  /** Which jobs need a job, by its name. */
  readonly neededBy: Map<string, Set<string>>;
  /** Jobs of other frameworks that are needed here, as far as they are known. */
  readonly outside: Map<string, OutsideJob>;
}

export interface GroupRef {
  readonly jobName: string;
  readonly group: string;
}

export function emptyState(secrets: Random): ServicesState {
  return {
    secrets,
    epoch: 0,
    launchCount: 0,
    jobs: new Map(),
    byTask: new Map(),
    orphans: new Map(),
    released: new Map(),
    isReconciled: false,
    dirty: new Set(),
    restartsChanged: new Set(),
    prefixes: new Map(),
    neededBy: new Map(),
    outside: new Map(),
  };
}

export function slotKey(group: string, index: number): string {
  return `${group}/${index}`;
}

/** What of one slot waits and fails is told apart by the version that it is made of. */
export function slotKeyOf(entry: JobEntry, version: JobVersionEntry, group: string, index: number): string {
  return slotKey(version === entry.current ? group : `${group}${servingMark}`, index);
}

/** No group's name holds it. */
export const servingMark = "~serving";

/** The version of a job that an instance was launched with, if it is still kept. */
export function versionOf(entry: JobEntry, version: number): JobVersionEntry | undefined {
  if (entry.current.record.version === version) return entry.current;
  return entry.history.find(({ record }) => record.version === version);
}

/** Whether an instance is as the current version wants it: made by it, or by one of an equal template. */
export function isCurrent(entry: JobEntry, instance: Instance): boolean {
  if (instance.version === entry.current.record.version) return true;
  const wanted = entry.current.templates.get(instance.group);
  return wanted !== undefined && versionOf(entry, instance.version)?.templates.get(instance.group) === wanted;
}

export function groupOf(version: JobVersionEntry, name: string): TaskGroup | undefined {
  return version.job.groups.find((group) => group.name === name);
}
