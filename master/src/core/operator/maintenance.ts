import { invalid, type MusterError } from "@muster/foundation";
import type { MaintenanceWindow } from "@muster/proto";
import { encodeMaintenance, maintenanceKey } from "../../registry/maintenance.ts";
import type { Core } from "../core.ts";
import { limits } from "../limits.ts";
import type { Agent, MasterState } from "../model.ts";
import { rescindOffer } from "../offers.ts";
import { idFault } from "../validate.ts";

/** When an agent is not to be had. */
export interface Unavailability {
  /** Milliseconds since the epoch. */
  readonly startAt: number;
  /** 0: for good. */
  readonly durationMs: number;
  /** It is being drained: what is left at the start is ended. */
  readonly isDrain: boolean;
}

/** When an agent is wanted back, if it is: its drain comes before its maintenance. */
export function unavailabilityOf(agent: Agent): Unavailability | undefined {
  const { standing, window } = agent;
  if (standing?.name === "draining") return { startAt: standing.deadlineAt, durationMs: 0, isDrain: true };
  return window && { startAt: window.startAt, durationMs: window.durationMs, isDrain: false };
}

/** What is wrong with a plan, or undefined. */
export function planFault(windows: readonly MaintenanceWindow[], nowMs: number): MusterError | undefined {
  if (windows.length > limits.maintenanceWindows)
    return invalid("windows", `must be at most ${limits.maintenanceWindows}`);
  for (const [index, { agentId, startAt, durationMs }] of windows.entries()) {
    const field = `windows[${index}]`;
    const fault = idFault(`${field}.agent_id`, agentId);
    if (fault) return fault;
    if (!(startAt > 0 && startAt <= nowMs + limits.maintenanceAheadMs))
      return invalid(`${field}.start_at`, "must be a time within a year");
    if (!(durationMs > 0 && durationMs <= limits.maintenanceMs))
      return invalid(`${field}.duration_ms`, `must be 1 to ${limits.maintenanceMs}`);
  }
  return undefined;
}

/** Windows that are not over, by the time at which they begin. */
export function upcoming(windows: readonly MaintenanceWindow[], nowMs: number): MaintenanceWindow[] {
  return windows
    .filter(({ startAt, durationMs }) => startAt + durationMs > nowMs)
    .sort((a, b) => a.startAt - b.startAt || (a.agentId < b.agentId ? -1 : 1));
}

/**
 * The plan takes effect: agents whose next window is another than before have their offers made anew, with it. O(agents
 * + windows).
 */
export function applyPlan(core: Core, windows: readonly MaintenanceWindow[]): void {
  const { state } = core;
  state.maintenance = upcoming(windows, core.epochMs);
  if (state.maintenanceTimer) state.timers.remove(state.maintenanceTimer);
  const ends = state.maintenance.map(({ startAt, durationMs }) => startAt + durationMs);
  state.maintenanceTimer =
    ends.length === 0 ? undefined : core.after(Math.min(...ends) - core.epochMs, { type: "maintenance-over" });
  const next = nextWindows(state);
  for (const agent of state.agents.values()) setWindow(core, agent, next.get(agent.id));
}

/** A window has passed: it leaves the plan. */
export function maintenanceOver(core: Core): void {
  core.state.maintenanceTimer = undefined;
  applyPlan(core, core.state.maintenance);
  const value = encodeMaintenance(core.state.maintenance);
  core.effects.push({ type: "store", key: maintenanceKey, value, written: undefined });
}

/** An agent that is new to this master may have a window. */
export function recallWindow(core: Core, agent: Agent): void {
  if (core.state.maintenance.length > 0) setWindow(core, agent, nextWindows(core.state).get(agent.id));
}

function nextWindows({ maintenance }: MasterState): Map<string, MaintenanceWindow> {
  const next = new Map<string, MaintenanceWindow>();
  for (const window of maintenance) if (!next.has(window.agentId)) next.set(window.agentId, window);
  return next;
}

function setWindow(core: Core, agent: Agent, window: MaintenanceWindow | undefined): void {
  const before = agent.window;
  if (before?.startAt === window?.startAt && before?.durationMs === window?.durationMs) return;
  agent.window = window;
  // The next tick asks those who have something there, or tells them that they are not asked any more.
  core.state.leaving.add(agent);
  core.state.changedAgents.add(agent);
  for (const offer of [...agent.offers]) rescindOffer(core, offer, "the agent's maintenance has been planned anew");
}
