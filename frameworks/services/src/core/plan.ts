import {
  type AgentRejection,
  addResources,
  Matcher,
  PlanAction,
  type PlanChange,
  type PlanPlacement,
  type PlanResponse,
  type Room,
  waitingInPlan,
} from "@muster/framework-sdk";
import { comparableJobs, networkWarnings } from "@muster/jobspecs";
import { freshEntry } from "./fresh.ts";
import { agentsOf } from "./launching.ts";
import { type Instance, type JobEntry, type JobVersionEntry, slotKey, type Want } from "./model.ts";
import { obstaclesOf } from "./obstacles.ts";
import { planGroups } from "./plan-groups.ts";
import { rejectionsMax, rooms, type Surroundings } from "./report.ts";
import { slotsOf } from "./slots.ts";
import { jobWarnings } from "./versions.ts";

/** Differences that one answer lists. */
const changesMax = 1_000;

/** What running a job would do. Changes nothing. O(new instances × agents). */
export function planRun(present: JobEntry | undefined, wanted: JobVersionEntry, around: Surroundings): PlanResponse {
  const base = present && !present.isStopped ? present : undefined;
  const changes = present ? differences(...comparableJobs(present.current.job, wanted.job)) : [];
  const future = futureEntry(present, wanted);
  const response: PlanResponse = {
    action: PlanAction.PLAN_ACTION_NONE,
    version: present?.current.record.version ?? 0,
    changes,
    placements: [],
    rejections: [],
    warnings: [...jobWarnings(wanted.job), ...networkWarnings(wanted.job, around.agents.values())],
    startCount: 0,
    stopCount: 0,
    groups: [],
    obstacles: [],
    waiting: [],
  };
  const replaced = base ? countReplaced(base, wanted) : 0;
  if (base === undefined) response.action = PlanAction.PLAN_ACTION_CREATE;
  else if (replaced > 0) response.action = PlanAction.PLAN_ACTION_REPLACE;
  else if (changes.length > 0) response.action = PlanAction.PLAN_ACTION_UPDATE;
  if (!around.isKnown) response.warnings.push("the cluster's agents are not known yet: placements are missing");
  placeAll(base, future, around, response);
  response.groups.push(...planGroups(base, future, byGroup(future), around));
  response.stopCount = base ? countStopped(base, future, around) : 0;
  return response;
}

/** The job as if it had been run. */
function futureEntry(present: JobEntry | undefined, wanted: JobVersionEntry): JobEntry {
  const kept = {
    name: wanted.job.id,
    stateVersion: 0,
    isStopped: false,
    isPurged: false,
    current: wanted,
    history: [],
  };
  const entry = freshEntry({ ...kept, isNew: true, wipedVersion: present?.wipedVersion ?? 0 });
  if (!present) return entry;
  const { instances, predecessors, volumes, systemIndexes } = present;
  return { ...entry, instances, predecessors, volumes, systemIndexes: new Map(systemIndexes) };
}

/** Whether an instance of that group would stay as it is. */
function keeps(present: JobEntry, wanted: JobVersionEntry, group: string): boolean {
  const template = wanted.templates.get(group);
  return template !== undefined && present.current.templates.get(group) === template;
}

function countReplaced(present: JobEntry, wanted: JobVersionEntry): number {
  let count = 0;
  for (const group of present.current.job.groups)
    if (wanted.templates.has(group.name) && !keeps(present, wanted, group.name)) count += group.count;
  return count;
}

function placeAll(base: JobEntry | undefined, future: JobEntry, around: Surroundings, response: PlanResponse): void {
  const present = byGroup(future);
  const open = roomsWithout(base, future.current, around);
  const matcher = new Matcher(open, around.random);
  for (const group of future.current.job.groups) {
    const need = future.current.needs.get(group.name);
    if (need === undefined) continue;
    const stays = new Set<string>();
    if (base && keeps(base, future.current, group.name))
      for (const instance of base.instances.values())
        if (instance.group === group.name && !instance.isKilling) stays.add(slotKey(group.name, instance.index));
    const unplaced: Want["slot"][] = [];
    const want = (slot: Want["slot"]): Want => ({
      entry: future,
      version: future.current,
      group,
      slot,
      need,
      role: "",
      sinceMs: 0,
    });
    const first = want({ index: 0, agentId: undefined });
    const occupants = matcher.occupants(stays.size > 0 ? agentsOf(first) : []);
    let rejections = matcher.explain(need, occupants);
    for (const slot of slotsOf(future, group, around.agents, present.get(group.name) ?? [])) {
      if (stays.has(slotKey(group.name, slot.index))) continue;
      response.startCount++;
      const found = around.isKnown ? matcher.place(need, occupants, slot.agentId) : undefined;
      const placement: PlanPlacement = {
        instance: `${future.name}.${group.name}.${slot.index}`,
        agentId: "",
        agentName: "",
      };
      if (found && "placed" in found) Object.assign(placement, found.placed);
      else if (found) {
        rejections = found.rejections;
        unplaced.push(slot);
      }
      response.placements.push(placement);
    }
    addRejections(response.rejections, group.name, rejections);
    if (response.placements.some((one) => one.agentId === ""))
      response.obstacles.push(...obstaclesOf(group.name, need, open, response.rejections));
    // Instances of system jobs belong to one agent each.
    const own = new Set(unplaced.flatMap(({ agentId }) => agentId ?? []));
    const places = own.size > 0 ? open.filter(({ agentId }) => own.has(agentId)) : open;
    const waiting = unplaced.length > 0 ? waitingInPlan(group.name, need, unplaced.length, places) : undefined;
    if (waiting) response.waiting.push({ ...waiting, agentIds: own.size > 0 ? [...own] : waiting.agentIds });
  }
}

function addRejections(
  list: AgentRejection[],
  group: string,
  rejections: readonly { agentId: string; agentName: string; reason: string }[],
): void {
  for (const { agentId, agentName, reason } of rejections)
    if (list.length < rejectionsMax) list.push({ group, agentId, agentName, reason });
}

/** Rooms in which what would be replaced is gone. */
function roomsWithout(base: JobEntry | undefined, wanted: JobVersionEntry, around: Surroundings): Room[] {
  const all = rooms(around.agents);
  if (base === undefined) return all;
  const leaving = [...base.instances.values()].filter(({ group }) => !keeps(base, wanted, group));
  return all.map((room) => {
    let { available } = room;
    for (const instance of leaving) {
      const need = base.current.needs.get(instance.group);
      if (instance.agentId === room.agentId && need) available = addResources(available, need.resources);
    }
    return { ...room, available };
  });
}

function byGroup({ instances }: JobEntry): Map<string, Instance[]> {
  const groups = new Map<string, Instance[]>();
  for (const instance of instances.values()) {
    const list = groups.get(instance.group);
    if (list) list.push(instance);
    else groups.set(instance.group, [instance]);
  }
  return groups;
}

function countStopped(base: JobEntry, future: JobEntry, around: Surroundings): number {
  let count = 0;
  for (const [name, instances] of byGroup(base)) {
    const group = future.current.job.groups.find((one) => one.name === name);
    const slots = group ? slotsOf(future, group, around.agents, instances) : [];
    const wanted = new Set(slots.map(({ index }) => index));
    const stays = keeps(base, future.current, name);
    for (const { index, isKilling } of instances) if (!isKilling && !(stays && wanted.has(index))) count++;
  }
  return count;
}

/** What differs between two jobs, by path; named items of lists are matched by their names. */
export function differences(before: unknown, after: unknown): PlanChange[] {
  const changes: PlanChange[] = [];
  compare("", before, after, changes);
  return changes;
}

function compare(path: string, before: unknown, after: unknown, changes: PlanChange[]): void {
  if (changes.length >= changesMax) return;
  if (isTree(before) && isTree(after) && Array.isArray(before) === Array.isArray(after)) {
    const [left, right] = [parts(before), parts(after)];
    for (const key of [...new Set([...left.keys(), ...right.keys()])].sort())
      compare(join(path, key, Array.isArray(after)), left.get(key), right.get(key), changes);
    return;
  }
  const [left, right] = [text(before), text(after)];
  if (left !== right) changes.push({ path, before: left, after: right });
}

function isTree(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function parts(value: object): Map<string, unknown> {
  if (!Array.isArray(value)) return new Map(Object.entries(value));
  return new Map(
    value.map((item: unknown, index) => {
      const name = isTree(item)
        ? ((item as { name?: unknown }).name ?? (item as { label?: unknown }).label)
        : undefined;
      return [typeof name === "string" ? name : String(index), item];
    }),
  );
}

function join(path: string, key: string, isList: boolean): string {
  if (isList) return `${path}[${key}]`;
  return path === "" ? key : `${path}.${key}`;
}

function text(value: unknown): string {
  if (value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}
