import { isTerminal } from "@muster/framework-sdk";
import type { ReschedulePolicy, RestartPolicy } from "@muster/jobspecs";
import { groupOf } from "./build.ts";
import { forgetAgents, isEverywhere, isIdle, isLasting } from "./every-agent.ts";
import { newInstance, newTasks } from "./instances.ts";
import { hasEnded, type Instance, isOver, type JobEntry, type Run, type RunKind, runId } from "./model.ts";
import { noCoverage } from "./records.ts";
import { expectTasks, forgetTasks, jobOf, type Turn, taskIdsOf, touch } from "./turn.ts";

/** Ended runs that are kept: that many with success, that many without, that many that never started. */
const runsKeptOfEach = 10;
/** Launches in a row that may come to nothing, at no attempt's cost, before one counts as failed. */
const lostLaunchesMax = 5;

/** A run that is recorded, with nothing of it launched. One on every agent has its instances once the agents are known. */
export function addRun(
  turn: Turn,
  entry: JobEntry,
  kind: RunKind,
  key: string,
  plannedAt: number,
  startBy: number,
  notBefore = 0,
): Run {
  const { job, version } = entry.current;
  const later = notBefore > 0 ? { notBefore } : {};
  const run: Run = { ...emptyRun(kind, key, plannedAt, version), startBy, ...later };
  if (isEverywhere(job)) forgetAgents(entry);
  else
    for (const [groupIndex, group] of job.groups.entries())
      for (let index = 0; index < group.count; index++)
        run.instances.push({ ...newInstance(groupIndex, index, group.tasks.length), notBefore });
  entry.runs.push(run);
  entry.activeRuns = [...entry.activeRuns, run];
  touch(turn, entry);
  for (const instance of run.instances) {
    instance.recordedAt = entry.revision;
    expectTasks(turn, entry, run, instance);
  }
  if (job.groups.every(({ count }) => count === 0))
    endRun(turn, entry, run, "succeeded", "nothing to run: every count is 0");
  return run;
}

/** A target that nothing ran for. */
export function addIdleRun(
  turn: Turn,
  entry: JobEntry,
  phase: "skipped" | "missed",
  plannedAt: number,
  reason: string,
): void {
  const run = emptyRun("scheduled", plannedAt.toString(36), plannedAt, entry.current.version);
  entry.runs.push(run);
  endRun(turn, entry, run, phase, reason);
}

function emptyRun(kind: RunKind, key: string, plannedAt: number, version: number): Run {
  return {
    key,
    kind,
    plannedAt,
    version,
    startBy: 0,
    phase: "pending",
    startedAt: 0,
    endedAt: 0,
    exitCode: undefined,
    taskId: "",
    reason: "",
    ending: undefined,
    attemptCount: 1,
    instances: [],
    coverage: noCoverage(),
  };
}

/** Runs of a job that have not ended. */
export function activeRuns(entry: JobEntry): readonly Run[] {
  return entry.activeRuns;
}

/** Ends a run before its time: kills what runs of it, and never starts the rest. Returns how many tasks will end. */
export function stopRun(turn: Turn, entry: JobEntry, run: Run, ending: "killed" | "failed", reason: string): number {
  let taskCount = 0;
  if (run.ending === undefined && isLasting(entry, run) && isIdle(turn.state, run)) {
    // What it was there for is done: it only waited for further agents.
    run.ending = run.instances.every(({ phase }) => phase !== "failed") ? "succeeded" : "failed";
  } else if (run.ending === undefined) {
    run.ending = ending;
    run.reason = reason;
  }
  for (const instance of run.instances) {
    if (instance.phase === "launched") {
      for (const taskId of taskIdsOf(entry, run, instance)) {
        turn.effects.push({ type: "kill", taskId });
        taskCount += 1;
      }
    } else if (instance.phase === "waiting" && !instance.inQuestion) {
      forgetTasks(turn, entry, run, instance);
      instance.phase = "killed";
    }
  }
  touch(turn, entry);
  closeRun(turn, entry, run);
  return taskCount;
}

/** An instance has come to its end by itself, or was ended. */
export function endInstance(
  turn: Turn,
  entry: JobEntry,
  run: Run,
  instance: Instance,
  phase: "succeeded" | "failed" | "killed",
): void {
  forgetTasks(turn, entry, run, instance);
  instance.phase = phase;
  touch(turn, entry);
  if (isEverywhere(jobOf(entry, run))) {
    // What happens on one agent is no matter of the others, and the run may go on where nothing has begun.
    if (phase !== "succeeded") run.reason = `${instance.agentName}: ${instance.reason}`;
    if (run.ending !== undefined) closeRun(turn, entry, run);
  } else if (phase === "succeeded") closeRun(turn, entry, run);
  else stopRun(turn, entry, run, phase, instance.reason);
}

/** Tries again after a failure if the group's policy has attempts left. */
export function failAttempt(
  turn: Turn,
  entry: JobEntry,
  run: Run,
  instance: Instance,
  reason: string,
  isUsedUp = false,
): void {
  instance.reason = reason;
  const group = groupOf(jobOf(entry, run), instance);
  const { attempts, firstDelayMs, factor, maxDelayMs } = isUsedUp ? elsewhere(group.reschedule) : group.restart;
  const retriesDone = instance.attempt - 1;
  if (run.ending !== undefined || (attempts !== undefined && retriesDone >= attempts)) {
    endInstance(turn, entry, run, instance, run.ending ?? "failed");
    return;
  }
  const delayMs = Math.min(firstDelayMs * factor ** retriesDone, maxDelayMs);
  instance.attempt += 1;
  instance.lostLaunches = 0;
  run.attemptCount = Math.max(run.attemptCount, instance.attempt);
  run.reason = reason;
  relaunch(turn, entry, run, instance, turn.nowMs + delayMs);
}

/** The restarts of a written block are its agent's affair: what comes after them is what `reschedule` says, if anything. */
function elsewhere(policy: ReschedulePolicy | undefined): Omit<RestartPolicy, "mode"> {
  if (!policy) return { attempts: 0, firstDelayMs: 0, factor: 1, maxDelayMs: 0 };
  const { unlimited, attempts, delayMs: firstDelayMs, delayFunction, maxDelayMs } = policy;
  const most = maxDelayMs > 0 ? maxDelayMs : Number.POSITIVE_INFINITY;
  return {
    ...(unlimited ? {} : { attempts }),
    firstDelayMs,
    factor: delayFunction === "constant" ? 1 : 2,
    maxDelayMs: most,
  };
}

/** A launch came to nothing: nothing of it ever started. It costs no attempt, within reason. */
export function loseLaunch(turn: Turn, entry: JobEntry, run: Run, instance: Instance, reason: string): void {
  if (run.ending !== undefined) {
    endInstance(turn, entry, run, instance, run.ending);
    return;
  }
  instance.lostLaunches += 1;
  if (instance.lostLaunches > lostLaunchesMax) failAttempt(turn, entry, run, instance, reason);
  else relaunch(turn, entry, run, instance, 0);
}

/** Others needed its room: it begins anew at once, and that is no failure and costs no attempt. */
export function moveInstance(turn: Turn, entry: JobEntry, run: Run, instance: Instance, reason: string): void {
  if (run.ending !== undefined) {
    endInstance(turn, entry, run, instance, run.ending);
    return;
  }
  instance.reason = reason;
  run.reason = reason;
  relaunch(turn, entry, run, instance, 0);
}

/** Waits for a launch with new task ids, recorded before it is used. */
function relaunch(turn: Turn, entry: JobEntry, run: Run, instance: Instance, notBefore: number): void {
  forgetTasks(turn, entry, run, instance);
  instance.phase = "waiting";
  instance.launch += 1;
  instance.notBefore = notBefore;
  instance.inQuestion = false;
  instance.unreachableAt = 0;
  if (!instance.isPinned) instance.agentId = instance.agentName = "";
  instance.tasks = newTasks(instance.tasks.length);
  touch(turn, entry);
  instance.recordedAt = entry.revision;
  expectTasks(turn, entry, run, instance);
}

/** Ends a run of which everything has ended. */
export function closeRun(turn: Turn, entry: JobEntry, run: Run): void {
  if (hasEnded(run) || !run.instances.every(isOver)) return;
  const failed = run.instances.find(({ phase }) => phase === "failed");
  const telling = failed ?? run.instances.find(({ phase }) => phase === "succeeded") ?? run.instances[0];
  const tasks = telling?.tasks ?? [];
  const ended = tasks.find(({ exitCode }) => exitCode !== undefined && exitCode !== 0) ?? tasks[0];
  run.exitCode = ended?.exitCode;
  const isKilled = run.instances.some((instance) => instance.phase === "killed");
  const phase = run.ending ?? (failed ? "failed" : isKilled ? "killed" : "succeeded");
  endRun(turn, entry, run, phase, phase === "succeeded" ? "" : run.reason);
}

/** Writes the end down, counts it, and forgets the oldest of its kind. */
export function endRun(turn: Turn, entry: JobEntry, run: Run, phase: Run["phase"], reason: string): void {
  if (phase === "pending" || phase === "running") return;
  for (const instance of run.instances) if (!isOver(instance)) forgetTasks(turn, entry, run, instance);
  run.phase = phase;
  entry.activeRuns = entry.activeRuns.filter((other) => other !== run);
  run.endedAt = turn.nowMs;
  run.reason = reason;
  entry.counts[phase] += 1;
  if (run.kind === "scheduled") countFailures(turn, entry, phase);
  // What is kept of an ended run is one line, and of one on every agent what came of it on each, the telling one first.
  const telling = run.instances.find((instance) => instance.phase === phase) ?? run.instances[0];
  const others = isEverywhere(jobOf(entry, run)) ? run.instances.filter((one) => one !== telling) : [];
  run.instances = telling ? [telling, ...others] : [];
  touch(turn, entry);
  trim(entry, (kept) => kept.phase === "succeeded");
  trim(entry, (kept) => kept.phase === "failed" || kept.phase === "killed");
  trim(entry, (kept) => kept.phase === "skipped" || kept.phase === "missed");
  if (phase === "failed" || phase === "missed")
    turn.effects.push({
      type: "log",
      level: "warn",
      fields: { jobId: entry.id, runId: runId(entry.id, run), reason },
      message: `run ${phase}`,
    });
}

/** Pauses a schedule whose runs fail again and again, if it says so. */
function countFailures(turn: Turn, entry: JobEntry, phase: Run["phase"]): void {
  if (phase === "succeeded") entry.failuresInRow = 0;
  if (phase !== "failed") return;
  entry.failuresInRow += 1;
  const most = entry.current.job.schedule?.pauseAfterFailures;
  if (most === undefined || entry.failuresInRow < most || entry.isPaused) return;
  entry.isPaused = true;
  const fields = { jobId: entry.id, failures: entry.failuresInRow };
  turn.effects.push({ type: "log", level: "warn", fields, message: "schedule paused" });
}

function trim(entry: JobEntry, isOfKind: (run: Run) => boolean): void {
  const ofKind = entry.runs.filter(isOfKind);
  const excess = new Set(ofKind.slice(0, Math.max(0, ofKind.length - runsKeptOfEach)));
  if (excess.size > 0) entry.runs = entry.runs.filter((run) => !excess.has(run));
}

/** Whether anything of an instance's present launch was seen. */
export function hasStarted(instance: Instance): boolean {
  return instance.tasks.some(({ state, startedAt }) => startedAt > 0 || (state > 1 && !isTerminal(state)));
}
