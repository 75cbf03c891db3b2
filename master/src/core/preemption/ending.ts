import { assert, type MusterError, priorityClassOf } from "@muster/foundation";
import { StatusReason, TaskState } from "@muster/proto";
import type { Core } from "../core.ts";
import { sendKill } from "../kills.ts";
import type { Group } from "../model.ts";
import { lookIntervalMsMax } from "./arm.ts";
import type { Budget } from "./budget.ts";
import { keepBudget } from "./budgets.ts";
import { dropHold } from "./holds.ts";
import type { Hold } from "./model.ts";

/** Who is ended so that there is room for one unit of a demand. */
export interface Room {
  readonly hold: Hold;
  readonly groups: readonly Group[];
  /** When they were chosen, monotonic. */
  readonly sinceMs: number;
}

/** Rooms for which somebody with a budget is ended, until the registry knows what these budgets lose. */
export interface Rooms {
  readonly rooms: readonly Room[];
  unwrittenCount: number;
  error: MusterError | undefined;
}

/** Somebody is to end: from now on nobody counts on it, and its budget has one less to lose. */
export function choose({ state, nowMs, epochMs }: Core, groups: readonly Group[]): void {
  for (const group of groups) {
    state.preemption.ending.add(group);
    group.budget?.take(nowMs, epochMs);
  }
}

/**
 * Ends who was chosen: those without a budget at once; the others when the registry knows what their budgets lose, so
 * that the next master takes no more of them. O(groups).
 */
export function endForRooms(core: Core, rooms: readonly Room[]): void {
  const waiting = rooms.filter(({ groups }) => groups.some(({ budget }) => budget !== undefined));
  for (const room of rooms) if (!waiting.includes(room)) carryOut(core, room);
  const budgets = new Set(waiting.flatMap(({ groups }) => groups.flatMap(({ budget }) => budget ?? [])));
  const batch: Rooms = { rooms: waiting, unwrittenCount: budgets.size, error: undefined };
  for (const budget of budgets) keepBudget(core, budget, (error) => ({ type: "budget-stored", rooms: batch, error }));
}

/** The registry knows what one of the budgets loses, or could not be told. */
export function budgetStored(core: Core, batch: Rooms, error: MusterError | undefined): void {
  batch.error ??= error;
  if (--batch.unwrittenCount > 0) return;
  for (const room of batch.rooms)
    if (batch.error === undefined && core.state.preemption.holds.has(room.hold)) carryOut(core, room);
    else giveUp(core, room, batch.error);
}

function carryOut(core: Core, room: Room): void {
  const { agent, demand, framework } = room.hold;
  const isLeft = (group: Group): boolean => group.liveCount > 0 && !isEndingAnyway(group);
  for (const group of room.groups) if (isLeft(group)) preempt(core, group, room.hold);
  spare(
    core,
    room,
    room.groups.filter(({ preemptedFor }) => preemptedFor === undefined),
  );
  core.count("preemptions", "rooms");
  core.log(
    "info",
    { agentId: agent.id, role: demand.role, framework: framework.name, groups: room.groups.length },
    "room is made for a role that has less than it is promised",
  );
}

/** Nobody is ended for it: the registry could not be told, or nobody waits for it any more. */
function giveUp(core: Core, room: Room, error: MusterError | undefined): void {
  const { hold, groups } = room;
  spare(core, room, groups);
  dropHold(core, hold);
  if (error === undefined) return;
  hold.demand.quietUntilMs = core.nowMs + lookIntervalMsMax;
  core.log(
    "warn",
    { agentId: hold.agent.id, role: hold.demand.role, error: error.message },
    "nobody is ended for a role that has less than it is promised: the store does not take what their budgets lose",
  );
}

/** They were chosen and are not ended for it: their budgets lose nothing. */
function spare(core: Core, { sinceMs }: Room, groups: readonly Group[]): void {
  const budgets = new Set<Budget>();
  for (const { budget } of groups) {
    if (budget === undefined) continue;
    budget.giveBack(sinceMs);
    budgets.add(budget);
  }
  for (const group of groups) if (!isEndingAnyway(group)) core.state.preemption.ending.delete(group);
  for (const budget of budgets) keepBudget(core, budget, undefined);
}

/** Somebody else has ended it meanwhile. */
function isEndingAnyway(group: Group): boolean {
  for (const task of group.agent.tasks)
    if (task.group === group && (task.kill !== undefined || task.state === TaskState.TASK_KILLING)) return true;
  return false;
}

/** Ends a group for the sake of others, with the grace of its own tasks. O(tasks of the agent). */
function preempt(core: Core, group: Group, hold: Hold): void {
  const { framework, demand } = hold;
  const { role, priority } = demand;
  assert(core.state.preemption.holds.has(hold), "a group is preempted for what nobody waits for", { role });
  group.preemptedFor = { role, priority };
  core.count("preemptions", "groups");
  const important = priority === undefined ? "" : `, priority ${priority} (${priorityClassOf(priority)})`;
  const own = group.priority === undefined ? "" : `; its own priority is ${group.priority}`;
  const message = `preempted for ${framework.name} in role ${role}${important}${own}`;
  for (const task of group.agent.tasks) {
    if (task.group !== group) continue;
    task.kill = { graceMs: undefined, reason: StatusReason.REASON_PREEMPTED, message };
    core.taskEvent(task);
  }
  // The agent ends the others of a group with one of them.
  for (const task of group.agent.tasks)
    if (task.group === group) {
      sendKill(core, task);
      return;
    }
}
