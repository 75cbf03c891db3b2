import type { ReschedulePolicy, RestartPolicy, TaskGroup } from "@muster/jobspecs";
import type { RestartState } from "./model.ts";

/** Failures that are remembered of one instance. */
const failuresKeptMax = 64;
/** Agents that are remembered of one instance. */
const failedOnMax = 8;
/** A launch that did not reach its agent is tried again at once, then after 100 ms, twice as long each time. */
const dropDelayMsFirst = 100;
const dropDelayMsMax = 10_000;

/** Of a group whose file says nothing of it: placed anew for ever, after 30 s doubling to an hour. */
const rescheduleDefault: ReschedulePolicy = {
  unlimited: true,
  attempts: 0,
  intervalMs: 0,
  delayMs: 30_000,
  delayFunction: "exponential",
  maxDelayMs: 3_600_000,
};

export function freshRestarts(version: number): RestartState {
  return {
    failureCount: 0,
    failedAt: [],
    rescheduleCount: 0,
    rescheduledAt: [],
    nextTryAt: 0,
    delayMs: 0,
    givenUp: undefined,
    version,
    restartCount: 0,
    failedOn: [],
    dropCount: 0,
    lastEnd: "",
    lastExitCode: undefined,
  };
}

export interface Failure {
  readonly agentId: string;
  readonly ranMs: number;
  /** Its agent has started it again as often as its `restart` block allows. */
  readonly isUsedUp: boolean;
}

/** An instance ended that nobody told to. Settles when it is tried again, and where rather not. */
export function recordFailure(
  state: RestartState,
  group: TaskGroup,
  { agentId, ranMs, isUsedUp }: Failure,
  nowMs: number,
): void {
  const policy = policyOf(group);
  if (policy.resetAfterMs !== undefined && ranMs >= policy.resetAfterMs) {
    state.failureCount = 0;
    state.rescheduleCount = 0;
    state.rescheduledAt = [];
    state.failedAt = [];
    state.failedOn = [];
  }
  state.failedOn = [...state.failedOn.filter((one) => one !== agentId), agentId].slice(-failedOnMax);
  state.failureCount++;
  state.restartCount++;
  state.dropCount = 0;
  if (isUsedUp) {
    reschedule(state, group.reschedule ?? rescheduleDefault, nowMs);
    return;
  }
  if (policy.intervalMs !== undefined) {
    const since = nowMs - policy.intervalMs;
    state.failedAt = state.failedAt.filter((at) => at > since);
  }
  state.failedAt.push(nowMs);
  if (state.failedAt.length > failuresKeptMax) state.failedAt.shift();
  const usedUp = policy.attempts !== undefined && state.failedAt.length > policy.attempts;
  if (!usedUp) {
    tryAfter(state, delayOf(policy, state.failureCount), nowMs);
    return;
  }
  if (policy.mode === "delay") {
    const first = state.failedAt[0] ?? nowMs;
    tryAfter(state, Math.max(policy.firstDelayMs, first + (policy.intervalMs ?? 0) - nowMs), nowMs);
    return;
  }
  reschedule(state, group.reschedule ?? rescheduleDefault, nowMs);
}

/** Its launch did not reach an agent: no failure of its own. */
export function recordDrop(state: RestartState, nowMs: number): void {
  const delayMs = state.dropCount === 0 ? 0 : Math.min(dropDelayMsFirst * 2 ** (state.dropCount - 1), dropDelayMsMax);
  state.dropCount++;
  tryAfter(state, delayMs, nowMs);
}

function tryAfter(state: RestartState, delayMs: number, nowMs: number): void {
  state.delayMs = delayMs;
  state.nextTryAt = nowMs + delayMs;
}

/** How long the next try still waits. A clock that was set back in between starts the wait anew, at most. */
export function remainingDelayMs(state: RestartState, nowMs: number): number {
  if (state.nextTryAt - nowMs > state.delayMs) state.nextTryAt = nowMs + state.delayMs;
  return Math.max(0, state.nextTryAt - nowMs);
}

/** How long restart `count` (from 1) waits. */
export function delayOf(policy: RestartPolicy, count: number): number {
  return Math.min(policy.firstDelayMs * policy.factor ** Math.min(count - 1, 64), policy.maxDelayMs);
}

function policyOf(group: TaskGroup): RestartPolicy {
  return (group.tasks.length === 1 ? group.tasks[0]?.restart : undefined) ?? group.restart;
}

function reschedule(state: RestartState, policy: ReschedulePolicy, nowMs: number): void {
  const count = ++state.rescheduleCount;
  if (policy.intervalMs > 0) state.rescheduledAt = state.rescheduledAt.filter((at) => at > nowMs - policy.intervalMs);
  state.rescheduledAt = [...state.rescheduledAt, nowMs].slice(-failuresKeptMax);
  const counting = policy.intervalMs > 0 ? state.rescheduledAt.length : count;
  if (!policy.unlimited && counting > policy.attempts) {
    state.givenUp = `given up after ${state.restartCount - 1} restarts`;
    return;
  }
  state.failedAt = [];
  const most = policy.maxDelayMs > 0 ? policy.maxDelayMs : Number.POSITIVE_INFINITY;
  tryAfter(state, Math.min(growth(policy, count), most), nowMs);
}

function growth({ delayMs, delayFunction }: ReschedulePolicy, count: number): number {
  if (delayFunction === "constant") return delayMs;
  if (delayFunction === "exponential") return delayMs * 2 ** Math.min(count - 1, 32);
  let [before, now] = [0, 1];
  for (let i = 1; i < Math.min(count, 64); i++) [before, now] = [now, before + now];
  return delayMs * now;
}
