import {
  Health,
  type JobInstance,
  type JobRun,
  JobState,
  type JobStatus,
  type JobSummary,
  type JobVersion,
  RunState,
  TaskState,
} from "@muster/framework-sdk";
import { canonicalJson, maskedDefinition } from "@muster/jobspecs";
import { groupOf } from "../build.ts";
import { isAway, isEverywhere, isIdle, isLasting, outcomeOf } from "../every-agent.ts";
import { taskIdOf } from "../ids.ts";
import { type CronState, hasEnded, type Instance, type JobEntry, type Run, type RunPhase, runId } from "../model.ts";
import { activeRuns } from "../runs.ts";
import { pausedReason } from "../submit.ts";
import { jobOf } from "../turn.ts";

const runsListedDefault = 100;
/** Agents that a message names. */
const awayNamedMax = 5;

const runStates: Record<RunPhase, RunState> = {
  pending: RunState.RUN_STATE_PENDING,
  running: RunState.RUN_STATE_RUNNING,
  succeeded: RunState.RUN_STATE_SUCCEEDED,
  failed: RunState.RUN_STATE_FAILED,
  skipped: RunState.RUN_STATE_SKIPPED,
  missed: RunState.RUN_STATE_MISSED,
  killed: RunState.RUN_STATE_KILLED,
};

/** One line about a job. */
export function summaryOf(state: CronState, entry: JobEntry): JobSummary {
  const { job, version, submittedAt } = entry.current;
  const instances = activeRuns(entry).flatMap((run) => run.instances);
  const running = instances.filter(isRunning).length;
  return {
    name: entry.id,
    type: job.type,
    state: stateOf(state, entry),
    version,
    desired: instances.filter(({ phase }) => phase === "waiting" || phase === "launched").length,
    running,
    healthy: running,
    role: job.role,
    submittedAt,
    nextRunAt: (!entry.isStopped && !entry.isPaused && entry.timetable && entry.nextAt) || 0,
    updated: running,
    parent: entry.current.dispatch?.parentId ?? "",
  };
}

/** All about a job, but why its instances wait. */
export function statusOf(state: CronState, entry: JobEntry): JobStatus {
  const active = activeRuns(entry);
  const shown = active.length > 0 ? active : entry.runs.filter(({ instances }) => instances.length > 0).slice(-1);
  return {
    summary: summaryOf(state, entry),
    instances: shown.flatMap((run) =>
      inOrder(run.instances).flatMap((instance) => instanceViews(entry, run, instance)),
    ),
    rejections: [],
    obstacles: [],
    message: messageOf(state, entry),
    definition: Buffer.from(maskedDefinition(definitionOf(entry))),
    source: entry.current.source,
    deployment: null,
    volumes: [],
  };
}

/** The evaluated job, of a dispatch as it was made for that. */
function definitionOf({ current }: JobEntry): string {
  return current.dispatch ? canonicalJson(current.job) : current.definition;
}

/** The runs of a job, the latest first; of a parameterized one those of its dispatches. */
export function runsOf(state: CronState, entry: JobEntry, limit: number): JobRun[] {
  const children = [...(state.children.get(entry.id) ?? [])];
  const own = entry.runs.map((run) => runView(state, entry, run));
  const all = [...own, ...children.flatMap((child) => child.runs.map((run) => dispatchView(state, child, run)))];
  return all.slice(-(limit || runsListedDefault)).reverse();
}

/** A run of a dispatch goes by the dispatch's name. */
function dispatchView(state: CronState, child: JobEntry, run: Run): JobRun {
  return { ...runView(state, child, run), runId: child.id, kind: "dispatched" };
}

/** The versions of a job, the latest first. */
export function versionsOf(entry: JobEntry): JobVersion[] {
  return [...entry.versions.values()]
    .sort((a, b) => b.version - a.version)
    .map(({ version, submittedAt, definition, source }) => ({
      version,
      submittedAt,
      cause: "run",
      definition: Buffer.from(maskedDefinition(definition)),
      source,
      stable: entry.runs.some((run) => run.version === version && run.phase === "succeeded"),
    }));
}

function runView(state: CronState, entry: JobEntry, run: Run): JobRun {
  const isDone = isLasting(entry, run) && !hasEnded(run) && isIdle(state, run);
  const phase = isDone ? (outcomeOf(run).failedCount === 0 ? "succeeded" : "failed") : run.phase;
  const view: JobRun = {
    runId: runId(entry.id, run),
    kind: kindOf(entry, run),
    plannedAt: run.plannedAt,
    startedAt: run.startedAt,
    endedAt: run.endedAt,
    state: runStates[phase],
    taskId: run.taskId,
    reason: run.reason,
    attemptCount: run.instances.length === 0 ? 0 : run.attemptCount,
  };
  if (run.exitCode !== undefined) view.exitCode = run.exitCode;
  return view;
}

function kindOf({ current }: JobEntry, { kind }: Run): string {
  if (kind === "scheduled") return "scheduled";
  return kind === "once" && current.dispatch ? "dispatched" : "manual";
}

function stateOf(state: CronState, entry: JobEntry): JobState {
  if (entry.isStopped) return JobState.JOB_STATE_STOPPED;
  // It is there to be dispatched, whether or not that happens just now.
  if (entry.current.job.parameterized) return JobState.JOB_STATE_RUNNING;
  const active = activeRuns(entry);
  const last = entry.runs.at(-1);
  if (entry.current.job.schedule !== undefined) {
    // A schedule that goes on is doing what it is there for, whether or not a run is under way.
    const goesOn = entry.nextAt !== undefined && !entry.isPaused;
    if (active.length > 0 || goesOn) return JobState.JOB_STATE_RUNNING;
    if (entry.isPaused) return JobState.JOB_STATE_PENDING;
    return entry.timetable ? JobState.JOB_STATE_COMPLETE : JobState.JOB_STATE_PENDING;
  }
  if (active.some(({ instances }) => instances.some(isRunning))) return JobState.JOB_STATE_RUNNING;
  const lasting = active.find((run) => isLasting(entry, run));
  if (lasting && isIdle(state, lasting))
    return outcomeOf(lasting).failedCount === 0 ? JobState.JOB_STATE_COMPLETE : JobState.JOB_STATE_FAILED;
  if (active.length > 0 || !last) return JobState.JOB_STATE_PENDING;
  return last.phase === "succeeded" ? JobState.JOB_STATE_COMPLETE : JobState.JOB_STATE_FAILED;
}

function messageOf(state: CronState, entry: JobEntry): string {
  if (entry.isStopped) return "stopped";
  if (entry.isPaused) return `${pausedReason(entry)}: hand it in again to resume`;
  if (entry.current.job.schedule && !entry.current.job.schedule.enabled) return "its schedule is disabled";
  if (entry.current.job.parameterized) return "it runs when it is dispatched";
  const everywhere = activeRuns(entry).find((run) => isEverywhere(jobOf(entry, run)));
  if (everywhere) return everywhereMessage(state, entry, everywhere);
  const waiting = activeRuns(entry).find(({ instances }) => instances.some(({ phase }) => phase === "waiting"));
  if (waiting) {
    const retry = waiting.instances.find(({ phase, attempt }) => phase === "waiting" && attempt > 1);
    if (retry) return `attempt ${retry.attempt} of ${runId(entry.id, waiting)}: ${retry.reason}`;
    return `run ${runId(entry.id, waiting)} waits for an offer`;
  }
  const last = entry.runs.at(-1);
  if (last && (last.phase === "failed" || last.phase === "missed"))
    return `run ${runId(entry.id, last)} ${last.phase}: ${last.reason}`;
  return "";
}

/** How far a run on every agent is. */
function everywhereMessage(state: CronState, entry: JobEntry, run: Run): string {
  const { instances, coverage } = run;
  if (instances.length === 0)
    return state.agents ? "no agent meets its constraints and has its drivers" : "waiting to hear of the agents";
  const { doneCount, failedCount } = outcomeOf(run);
  const away = instances.filter((instance) => isAway(state, instance)).map(({ agentName }) => agentName);
  const said = [
    `${runId(entry.id, run)} is done on ${doneCount} of ${instances.length} agents${failedCount === 0 ? "" : `, and failed on ${failedCount}`}`,
    ...(run.reason === "" ? [] : [run.reason]),
    ...(away.length === 0 ? [] : [`waits for agents that are away: ${away.slice(0, awayNamedMax).join(", ")}`]),
    ...(coverage.hasMore ? ["further agents have their turn when some have ended"] : []),
    ...(coverage.leftOutCount === 0 ? [] : [`${coverage.leftOutCount} more agents than one run can have are left out`]),
  ];
  return said.join("; ");
}

/** By place; an ended run has the one that tells most of its end first. */
function inOrder(instances: readonly Instance[]): readonly Instance[] {
  return [...instances].sort((a, b) => a.groupIndex - b.groupIndex || a.index - b.index);
}

function instanceViews(entry: JobEntry, run: Run, instance: Instance): JobInstance[] {
  const job = jobOf(entry, run);
  const group = groupOf(job, instance);
  return group.tasks.map((task, ordinal): JobInstance => {
    const progress = instance.tasks[ordinal];
    const view: JobInstance = {
      instance: `${entry.id}.${group.name}.${instance.index}`,
      taskId: taskIdOf(entry.id, run, instance, ordinal),
      group: group.name,
      task: task.name,
      index: instance.index,
      state: progress?.state ?? TaskState.TASK_STAGING,
      health: Health.HEALTH_UNSPECIFIED,
      agentId: instance.agentId,
      agentName: instance.agentName,
      pid: hasEnded(run) ? 0 : (progress?.pid ?? 0),
      ip: "",
      ports: [],
      reason: progress?.nextTryAt ? progress.message : instance.reason,
      version: run.version,
      startedAt: progress?.startedAt ?? 0,
      restartCount: instance.attempt - 1 + (progress?.restartCount ?? 0),
      nextTryAt: instance.phase === "waiting" ? instance.notBefore : (progress?.nextTryAt ?? 0),
    };
    if (progress?.exitCode !== undefined) view.exitCode = progress.exitCode;
    return view;
  });
}

function isRunning(instance: Instance): boolean {
  return instance.phase === "launched" && instance.tasks.some(({ state }) => state === TaskState.TASK_RUNNING);
}
