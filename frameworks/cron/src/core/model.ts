import type { ClusterAgent, Need, Random, TaskState, TaskStatus } from "@muster/framework-sdk";
import type { Job, TaskGroup } from "@muster/jobspecs";
import type { LookQueue } from "./look-queue.ts";
import type { Timetable } from "./schedule/timetable.ts";

/** Why a run is: its time came, somebody asked for it, or its job was handed in without a schedule. */
export type RunKind = "scheduled" | "manual" | "once";

/** How a run stands. All but the first two are ends. */
export type RunPhase = "pending" | "running" | "succeeded" | "failed" | "skipped" | "missed" | "killed";

/** One run of a job. Plain JSON, as it is kept in State; recorded there before anything of it starts. */
export interface Run {
  /** Unique within the job and part of task ids: the planned time in base 36, or "m" and a count. */
  readonly key: string;
  readonly kind: RunKind;
  /** When it was due, ms since the epoch. */
  readonly plannedAt: number;
  /** Version of the job that it runs. */
  readonly version: number;
  /** Nothing of it started by then: missed. 0: it waits as long as it takes. */
  readonly startBy: number;
  phase: RunPhase;
  /** 0: not yet. */
  startedAt: number;
  endedAt: number;
  exitCode: number | undefined;
  /** Id of the last task that told of the run's state. */
  taskId: string;
  reason: string;
  /** It is being ended, and this is how it will have ended. */
  ending: "killed" | "failed" | "succeeded" | undefined;
  /** Most attempts of any of its instances. */
  attemptCount: number;
  /** Before that nothing of it starts on agents that come to it later, ms since the epoch. Absent: at once. */
  readonly notBefore?: number;
  instances: Instance[];
  /** Of a run on every agent: the picture of the agents that its instances follow. Not kept. */
  coverage: Coverage;
}

export interface Coverage {
  /** The number of that picture; 0: none yet. */
  revision: number;
  /** Agents that wait until others have ended. */
  hasMore: boolean;
  /** Agents beyond those that one run can have. */
  leftOutCount: number;
}

export type InstancePhase = "waiting" | "launched" | "succeeded" | "failed" | "killed";

/** One instance of a group within a run. */
export interface Instance {
  readonly groupIndex: number;
  readonly index: number;
  phase: InstancePhase;
  /** Counts tries that failed by themselves, from 1. */
  attempt: number;
  /** Counts launches, from 1: each has task ids of its own. */
  launch: number;
  /** Launches in a row that came to nothing before anything started. */
  lostLaunches: number;
  /** A retry waits until then, ms since the epoch. */
  notBefore: number;
  agentId: string;
  agentName: string;
  /** It belongs to that agent, and runs on no other: the run is one on every agent. */
  isPinned?: true;
  reason: string;
  /** Since when its agent does not answer, ms since the epoch; 0: it does. */
  unreachableAt: number;
  /** By the order of the group's tasks. */
  tasks: TaskProgress[];
  /** After a start: it may run without our knowing. Nothing of it is launched until that is settled. Not kept. */
  inQuestion: boolean;
  /** The revision of its job at which this launch was recorded: it waits until that is durable. Not kept. */
  recordedAt: number;
}

export interface TaskProgress {
  /** TASK_STAGING as long as nothing was heard. */
  state: TaskState;
  startedAt: number;
  exitCode: number | undefined;
  /** An end that is nobody's failure: the task went with its group. */
  wentWithGroup: boolean;
  userKill: boolean;
  /** It was ended for the sake of others. */
  isPreempted: boolean;
  pid: number;
  /** How often its agent has started it again. */
  restartCount: number;
  /** When its agent starts it again, milliseconds since the epoch; 0: it does not wait for that. */
  nextTryAt: number;
  /** What its agent last said of it. */
  message: string;
  /** It has failed, and its agent has started it again as often as its `restart` block allows. */
  isUsedUp: boolean;
}

/** What came of runs, ever. */
export interface RunCounts {
  succeeded: number;
  failed: number;
  skipped: number;
  missed: number;
  killed: number;
}

/** One version of a job as handed in. */
export interface Version {
  readonly version: number;
  readonly submittedAt: number;
  /** The evaluated job as canonical JSON. */
  readonly definition: string;
  readonly source: string;
  readonly job: Job;
  /** Present of a job that was made by a dispatch: `definition` is then that of the parameterized job. */
  readonly dispatch?: Dispatch;
}

/** What a dispatch of a parameterized job gave to the job that was made for it. */
export interface Dispatch {
  /** Id of the job that was made. */
  readonly id: string;
  /** Of the parameterized job. */
  readonly parentId: string;
  readonly meta: Readonly<Record<string, string>>;
  /** Empty: none. */
  readonly payloadBase64: string;
  /** Empty: none. */
  readonly token: string;
}

/** A job and all that is known of it. */
export interface JobEntry {
  readonly id: string;
  /** The present version. */
  current: Version;
  /** By number; the present one, and the last ones before it. */
  readonly versions: Map<number, Version>;
  isStopped: boolean;
  /** It goes, with everything, as soon as nothing of it runs. */
  isPurged: boolean;
  /** Its removal from State is under way. */
  isGone: boolean;
  /** When the schedule began: the start of an interval that names none. */
  anchorAt: number;
  /** The latest target that was dealt with, ms since the epoch. Never goes back. */
  cursorAt: number;
  manualCount: number;
  /** Scheduled runs that failed since the last one that succeeded. */
  failuresInRow: number;
  /** So many failed in a row that nothing is due until the job is handed in again. */
  isPaused: boolean;
  counts: RunCounts;
  /** Oldest first; ended ones are bounded. */
  runs: Run[];
  /** Those of them that have not ended. Made anew when it changes, so that whoever goes through it may end some. */
  activeRuns: readonly Run[];

  /** Undefined: no schedule, or a disabled one. */
  timetable: Timetable | undefined;
  /** The next target; undefined: none. */
  nextAt: number | undefined;
  /** Counts changes; what was durable last; what is being made durable. */
  revision: number;
  savedRevision: number;
  savingRevision: number | undefined;
  /** Versions in State, 0: not there. */
  readonly stored: { job: number; runs: number };
  isDefinitionDirty: boolean;
  /** Numbers of versions that State still has and nobody needs. */
  readonly versionsToForget: Set<number>;
  /** What is done once a revision is durable. */
  readonly gates: { readonly revision: number; readonly effect: Effect }[];
}

/** Where a task id leads. */
export interface TaskPlace {
  readonly entry: JobEntry;
  readonly run: Run;
  readonly instance: Instance;
  readonly ordinal: number;
}

export interface CronState {
  readonly random: Random;
  readonly jobs: Map<string, JobEntry>;
  /** Jobs made by dispatches, by the id of the parameterized job, in the order in which they were made. */
  readonly children: Map<string, Set<JobEntry>>;
  /** Tasks of present launches, by id. */
  readonly tasks: Map<string, TaskPlace>;
  /** Whether a session with the master is open: without one nothing is due, since nothing could be recorded. */
  isOpen: boolean;
  /** What waits is to be told even if it is as before. */
  isAnew: boolean;
  /** What groups of jobs need, as far as it was asked for. */
  readonly needs: WeakMap<TaskGroup, Need>;
  /** Of each job what waits for an offer, as far as it may be launched now. Jobs of which nothing waits are not there. */
  readonly waiting: Map<JobEntry, readonly Candidate[]>;
  /** When jobs are to be looked at next. */
  readonly looks: LookQueue;
  /** Roles that are subscribed for. */
  roles: readonly string[];
  /** The agents as they were told last; undefined: nothing is known of them yet. */
  agents: Agents | undefined;
  /** Jobs of which a run on every agent goes on. */
  readonly everywhere: Set<JobEntry>;
}

/** A picture of the agents. */
export interface Agents {
  /** Counts what of them matters for where something runs, from 1. */
  readonly revision: number;
  readonly known: ReadonlyMap<string, ClusterAgent>;
  /** Those that the master still waits for after its start. */
  readonly awaited: ReadonlySet<string>;
}

/** What the core wants done. */
export type Effect =
  | { readonly type: "save"; readonly jobId: string; readonly revision: number; readonly writes: readonly Write[] }
  | { readonly type: "accept"; readonly offerIds: readonly string[]; readonly groups: readonly LaunchGroup[] }
  | { readonly type: "decline"; readonly offerIds: readonly string[] }
  | { readonly type: "kill"; readonly taskId: string }
  | { readonly type: "acknowledge"; readonly status: TaskStatus }
  | { readonly type: "roles"; readonly roles: readonly string[] }
  | { readonly type: "revive"; readonly roles: readonly string[] }
  /** What waits for an agent is not as it was, see `waitsOf`: to be told once for all that happens at one moment. */
  | { readonly type: "demand" }
  | { readonly type: "reply"; readonly callId: number; readonly answer: Answer }
  | { readonly type: "changed"; readonly jobId: string }
  | { readonly type: "log"; readonly level: "info" | "warn"; readonly fields: object; readonly message: string };

/** An instance that could be launched now. */
export interface Candidate {
  readonly entry: JobEntry;
  readonly run: Run;
  readonly instance: Instance;
}

export type LaunchGroup = import("@muster/framework-sdk").TaskGroup;

/** What a change of a job is answered with once it is durable. */
export type Answer =
  | { readonly type: "submitted"; readonly version: number; readonly changed: boolean }
  | { readonly type: "stopped"; readonly taskCount: number }
  | { readonly type: "forced"; readonly runId: string }
  | { readonly type: "dispatched"; readonly name: string; readonly created: boolean };

/** One change of State; `version` 0: the key must not be there. */
export interface Write {
  readonly key: string;
  readonly version?: number;
  /** Undefined: remove. */
  readonly value?: string;
}

/** Whether a run has ended, one way or another. */
export function hasEnded(run: Run): boolean {
  return run.phase !== "pending" && run.phase !== "running";
}

/** Whether an instance has ended. */
export function isOver({ phase }: Pick<Instance, "phase">): boolean {
  return phase !== "waiting" && phase !== "launched";
}

/** The id by which people name a run. */
export function runId(jobId: string, run: Run): string {
  return `${jobId}/${run.key}`;
}
