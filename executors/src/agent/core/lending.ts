import { revocableCpuMillis } from "@muster/foundation";
import { StatusReason } from "@muster/proto";
import type { ProcessorQuestion, ProcessorUse } from "../../world/processor-meter.ts";
import { killGroup } from "./group-kill.ts";
import type { AgentState, Group, Task } from "./model.ts";
import type { Context } from "./status.ts";
import { advance } from "./turns.ts";

/** What a task has used lately is the most of so many measurements: a minute at the usual interval. */
export const usesRemembered = 4;
/** A smaller change of what is lent is not worth telling the master, as a part of what was told. */
const changeWorthTelling = 0.1;
/** The least that is lent: less is no use to anybody. */
export const lentCpuMillisMin = 50;

/** Processor that tasks were given and do not use, and that others may use until it is wanted back. */
export interface Lending {
  /** Monotonic. */
  nextAtMs: number;
  isUnderWay: boolean;
  /** What the master was told last, in thousandths of a core. */
  cpuMillis: number;
  /** Measurements since the agent began. Before there are enough nobody loses what an earlier life has lent. */
  measuredCount: number;
  /** Of each task with firm processor, what it has used in the latest measurements, newest last. */
  readonly uses: Map<string, number[]>;
}

/** When it is to be measured next, monotonic; infinite where nothing is lent, or nothing runs. O(1). */
export function nextLendingMs({ config, lending, tasks }: AgentState): number {
  const isIdle = tasks.size === 0 && lending.cpuMillis === 0;
  if (config.lentFraction === 0 || lending.isUnderWay || isIdle) return Number.POSITIVE_INFINITY;
  return lending.nextAtMs;
}

/** Asks what tasks use, if it is time. O(tasks). */
export function measureProcessor({ state, now, effects }: Context): void {
  if (nextLendingMs(state) > now.monotonicMs) return;
  const questions: ProcessorQuestion[] = [];
  for (const { id, started, phase } of state.tasks.values())
    if (phase === "running" && started !== undefined)
      questions.push({ id, pid: started.pid, shimPid: started.shimPid });
  state.lending.isUnderWay = true;
  state.lending.nextAtMs = now.monotonicMs + state.config.lendingWatchMs;
  effects.push({ type: "measure-processor", questions });
}

/**
 * Settles what is lent from now on, and ends the tasks that use more than that, those that came last first. What can't be
 * measured, or has not been for long enough, counts as used in full. O(tasks).
 */
export function processorMeasured(context: Context, use: ProcessorUse | undefined): void {
  const { state } = context;
  const { lending, config } = state;
  lending.isUnderWay = false;
  if (use === undefined) return;
  lending.measuredCount++;
  noteUses(state, use);
  let unused = 0;
  let usedByBorrowers = 0;
  for (const task of state.tasks.values()) {
    if (borrowedBy(task) > 0) usedByBorrowers += use.tasks.get(task.id) ?? 0;
    else unused += unusedOf(lending, task);
  }
  // Others on the host, whom nobody gave anything, may use what tasks do not.
  const atHand = Math.min(unused, use.idleCpuMillis + usedByBorrowers);
  const most = Math.floor(atHand * config.lentFraction);
  const lent = most < lentCpuMillisMin ? 0 : most;
  if (isWorthTelling(lending.cpuMillis, lent)) {
    lending.cpuMillis = lent;
    context.effects.push({ type: "tell-resources" });
  }
  if (lending.measuredCount >= usesRemembered) takeBack(context, lent);
}

function noteUses({ lending, tasks }: AgentState, use: ProcessorUse): void {
  for (const id of lending.uses.keys()) if (!tasks.has(id)) lending.uses.delete(id);
  for (const [id, cpuMillis] of use.tasks) {
    const latest = lending.uses.get(id) ?? [];
    latest.push(cpuMillis);
    if (latest.length > usesRemembered) latest.shift();
    lending.uses.set(id, latest);
  }
}

function unusedOf({ uses }: Lending, task: Task): number {
  const latest = task.phase === "running" ? (uses.get(task.id) ?? []) : [];
  if (latest.length < usesRemembered) return 0;
  return Math.max(0, (task.info.resources?.cpuMillis ?? 0) - Math.max(...latest));
}

/** What a task that has not ended has of what is lent, in thousandths of a core. */
function borrowedBy({ phase, info }: Task): number {
  return phase === "ended" || info.resources === null ? 0 : revocableCpuMillis(info.resources);
}

/** All that is taken away is told at once, whatever else only if it is worth it. */
function isWorthTelling(before: number, now: number): boolean {
  if (before === now) return false;
  return before === 0 || now === 0 || Math.abs(now - before) > before * changeWorthTelling;
}

function takeBack(context: Context, lent: number): void {
  const borrowers: Group[] = [];
  let borrowed = 0;
  for (const group of context.state.groups.values()) {
    // What is being ended gives back what it has anyway.
    const amount = group.tasks.reduce((sum, task) => (task.kill ? sum : sum + borrowedBy(task)), 0);
    if (amount > 0) borrowers.push(group);
    borrowed += amount;
  }
  while (borrowed > lent) {
    const group = borrowers.pop();
    if (group === undefined) return;
    borrowed -= group.tasks.reduce((sum, task) => (task.kill ? sum : sum + borrowedBy(task)), 0);
    const message = `its processor was lent and is wanted back: the agent lends ${lent / 1_000} of a core now`;
    killGroup(context, group, () => ({ reason: StatusReason.REASON_PREEMPTED, message }));
    advance(context, group);
  }
}
