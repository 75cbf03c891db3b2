import { StatusSource, TaskState, type TaskStatus } from "@muster/proto";

/** How long an agent is left alone that has refused to start something; twice as long each time. */
export const refusedMs = { first: 1_000, last: 60_000 } as const;
/** Agents that are remembered. Beyond, the oldest refusal is forgotten: that agent is asked too soon. */
const agentsMax = 10_000;

/**
 * Agents that would not start what they were given, for want of disk or of a port: their resources are free again at once
 * and would be offered again at once, so that without a pause a launch and its refusal would follow each other for ever.
 */
export class AgentRefusals {
  readonly #byAgent = new Map<string, { readonly count: number; readonly untilMs: number }>();

  /** News of a task; one that runs makes amends for its agent. Gives for how long the agent is left alone, if it is new. */
  heard({ agentId, state, source }: TaskStatus, nowMs: number): number {
    if (state === TaskState.TASK_RUNNING) this.#byAgent.delete(agentId);
    if (source !== StatusSource.STATUS_SOURCE_AGENT || state !== TaskState.TASK_DROPPED) return 0;
    const before = this.#byAgent.get(agentId);
    // Of several launches that went out together each is refused: that is one refusal.
    if (before !== undefined && nowMs < before.untilMs) return 0;
    const count = (before?.count ?? 0) + 1;
    this.#byAgent.delete(agentId);
    const forMs = Math.min(refusedMs.first * 2 ** (count - 1), refusedMs.last);
    this.#byAgent.set(agentId, { count, untilMs: nowMs + forMs });
    const [oldest] = this.#byAgent.keys();
    if (this.#byAgent.size > agentsMax && oldest !== undefined) this.#byAgent.delete(oldest);
    return forMs;
  }

  /** For how many milliseconds nothing should be launched there; 0: it may be tried. */
  waitMs(agentId: string, nowMs: number): number {
    return Math.max(0, (this.#byAgent.get(agentId)?.untilMs ?? 0) - nowMs);
  }
}
