import type { ClusterAgent, Offer, Random, TaskStatus } from "@muster/framework-sdk";
import { coverAgents, takeAgents } from "./cover-agents.ts";
import {
  type DispatchRequest,
  dispatch,
  endOrphans,
  forgetChild,
  parentIdOf,
  registerChild,
  trimChildren,
} from "./dispatch.ts";
import { missDeadlines, nextLookAt, takeTargets } from "./due.ts";
import { LookQueue } from "./look-queue.ts";
import type { CronState, Effect, JobEntry } from "./model.ts";
import { giveUpUnreachable, settleQuestions, takeStatus } from "./news.ts";
import { adjustDemand, placeOn } from "./place.ts";
import { removalOf, writesOf } from "./records.ts";
import { activeRuns } from "./runs.ts";
import { force, type Submission, stop, submit } from "./submit.ts";
import { expectTasks, newTurn, type Turn } from "./turn.ts";

/** What happens to the framework. */
export type Input =
  | { readonly type: "opened" }
  | { readonly type: "closed" }
  | { readonly type: "offers"; readonly offers: readonly Offer[] }
  | { readonly type: "status"; readonly status: TaskStatus }
  /** Every task of the framework that lives has been told. */
  | { readonly type: "all-told" }
  | { readonly type: "saved"; readonly jobId: string; readonly versions: readonly number[] }
  | { readonly type: "submit"; readonly callId: number; readonly submission: Submission }
  | { readonly type: "stop"; readonly callId: number; readonly jobId: string; readonly purge: boolean }
  | { readonly type: "force"; readonly callId: number; readonly jobId: string }
  | { readonly type: "dispatch"; readonly callId: number; readonly request: DispatchRequest }
  /** What the agents are, and whom the master still waits for. */
  | {
      readonly type: "agents";
      readonly known: ReadonlyMap<string, ClusterAgent>;
      readonly awaited: readonly string[];
    }
  /** The time that `nextWakeAt` asked for has come. */
  | { readonly type: "tick" };

/** The state at a start, with what State held. */
export function createState(entries: readonly JobEntry[], roles: readonly string[], random: Random): CronState {
  const state: CronState = {
    random,
    jobs: new Map(entries.map((entry) => [entry.id, entry])),
    children: new Map(),
    tasks: new Map(),
    isOpen: false,
    isAnew: true,
    needs: new WeakMap(),
    waiting: new Map(),
    looks: new LookQueue(),
    roles,
    agents: undefined,
    everywhere: new Set(),
  };
  const turn = newTurn(state, 0);
  for (const entry of entries) registerChild(state, entry);
  for (const entry of entries)
    for (const run of activeRuns(entry))
      for (const instance of run.instances) if (instance.inQuestion) expectTasks(turn, entry, run, instance);
  state.roles = rolesOf(roles, entries);
  return state;
}

/**
 * One transition. Changes the state and says what is to be done. Throws MusterError for a call that can't be done,
 * before anything has changed. O(what has changed or is due, with its runs, × log jobs), plus what waits for offers where
 * offers come; O(jobs) only when a session opens and when all tasks have been told.
 */
export function step(state: CronState, input: Input, nowMs: number): Effect[] {
  const turn = newTurn(state, nowMs);
  handle(turn, input);
  // Without a session nothing can be recorded, and so nothing is due.
  if (state.isOpen) for (const entry of state.looks.takeDue(nowMs)) turn.looked.add(entry);
  for (const entry of turn.looked) {
    if (state.isOpen) takeTargets(turn, entry);
    missDeadlines(turn, entry);
    giveUpUnreachable(turn, entry);
    coverAgents(turn, entry);
  }
  adjustRoles(turn);
  trimDispatches(turn);
  for (const entry of turn.looked) {
    if (turn.changed.has(entry)) turn.effects.push({ type: "changed", jobId: entry.id });
    save(turn, entry);
  }
  planLooks(turn);
  adjustDemand(turn, input.type === "tick");
  return turn.effects;
}

/** Of parameterized jobs a dispatch of which has ended. */
function trimDispatches(turn: Turn): void {
  const parentIds = new Set<string>();
  for (const entry of turn.changed) {
    const parentId = parentIdOf(entry);
    if (parentId !== undefined && activeRuns(entry).length === 0) parentIds.add(parentId);
  }
  for (const parentId of parentIds) trimChildren(turn, parentId);
}

function planLooks({ state, looked, nowMs }: Turn): void {
  for (const entry of looked) {
    const isThere = state.jobs.get(entry.id) === entry;
    state.looks.set(entry, isThere ? nextLookAt(entry, nowMs) : undefined);
  }
}

/** When `tick` is wanted, ms since the epoch; undefined: not until something else happens. */
export function nextWakeAt(state: CronState): number | undefined {
  // Without a session nothing can be recorded, and so nothing is due.
  return state.isOpen ? state.looks.nextMs : undefined;
}

function handle(turn: Turn, input: Input): void {
  const { state } = turn;
  switch (input.type) {
    case "opened":
      state.isOpen = true;
      // Whatever was asked of an earlier session may not have arrived.
      state.waiting.clear();
      for (const entry of state.jobs.values()) turn.looked.add(entry);
      endOrphans(turn);
      return;
    case "closed":
      state.isOpen = false;
      return;
    case "offers":
      placeOn(turn, input.offers);
      return;
    case "status":
      takeStatus(turn, input.status);
      return;
    case "all-told":
      settleQuestions(turn);
      return;
    case "saved":
      saved(turn, input.jobId, input.versions);
      return;
    case "submit":
      submit(turn, input.callId, input.submission);
      return;
    case "stop":
      stop(turn, input.callId, input.jobId, input.purge);
      return;
    case "force":
      force(turn, input.callId, input.jobId);
      return;
    case "dispatch":
      dispatch(turn, input.callId, input.request);
      return;
    case "agents":
      takeAgents(turn, input.known, input.awaited);
      return;
    case "tick":
      return;
  }
}

/** One save of a job at a time; what changes meanwhile goes with the next. */
function save(turn: Turn, entry: JobEntry): void {
  if (entry.savingRevision !== undefined) return;
  release(turn, entry);
  if (entry.revision === entry.savedRevision) return;
  const isGoing = entry.isPurged && activeRuns(entry).length === 0;
  const writes = isGoing ? removalOf(entry) : writesOf(entry);
  entry.savingRevision = entry.revision;
  entry.isDefinitionDirty = false;
  entry.versionsToForget.clear();
  turn.effects.push({ type: "save", jobId: entry.id, revision: entry.revision, writes });
  if (isGoing) entry.isGone = true;
}

function saved(turn: Turn, jobId: string, versions: readonly number[]): void {
  const entry = turn.state.jobs.get(jobId);
  if (!entry || entry.savingRevision === undefined) return;
  entry.savedRevision = entry.savingRevision;
  entry.savingRevision = undefined;
  turn.looked.add(entry);
  release(turn, entry);
  if (entry.isGone) {
    turn.state.jobs.delete(jobId);
    forgetChild(turn.state, entry);
    turn.effects.push({ type: "changed", jobId });
    return;
  }
  entry.stored.runs = versions[0] ?? entry.stored.runs;
  if (versions.length > 1) entry.stored.job = versions[1] ?? entry.stored.job;
}

function release(turn: Turn, entry: JobEntry): void {
  for (let gate = entry.gates[0]; gate && gate.revision <= entry.savedRevision; gate = entry.gates[0]) {
    entry.gates.shift();
    turn.effects.push(gate.effect);
  }
}

function adjustRoles({ state, changed, effects }: Turn): void {
  const roles = rolesOf(state.roles, changed);
  if (roles.length === state.roles.length) return;
  // A new role is offered for at once, until something else is said.
  state.isAnew = true;
  state.roles = roles;
  effects.push({ type: "roles", roles });
}

/** Roles are only added: one that nobody needs any more is quiet, and costs nothing. */
function rolesOf(known: readonly string[], entries: Iterable<JobEntry>): readonly string[] {
  const roles = new Set(known);
  for (const entry of entries) for (const { job } of entry.versions.values()) roles.add(job.role);
  return roles.size === known.length ? known : [...roles];
}
