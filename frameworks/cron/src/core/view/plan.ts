import {
  type AgentRejection,
  canRunThere,
  Matcher,
  type Need,
  PlanAction,
  type PlanChange,
  type PlanPlacement,
  type PlanResponse,
  type Random,
  type Room,
  waitingInPlan,
} from "@muster/framework-sdk";
import { comparableJobs, type Job, type TaskGroup } from "@muster/jobspecs";
import { needOf } from "../build.ts";
import { isEverywhere } from "../every-agent.ts";
import type { JobEntry } from "../model.ts";
import { activeRuns } from "../runs.ts";
import { jobOf } from "../turn.ts";

/** Differences that are listed. */
const changesMax = 200;
/** Instances of a run that are placed for show. */
const placementsMax = 1_000;

/** What handing a job in would change, and where one run of it would go now. */
export function planOf(entry: JobEntry | undefined, job: Job, rooms: readonly Room[], random: Random): PlanResponse {
  const before = entry && !entry.isPurged ? entry.current.job : undefined;
  const changes = before ? differences(...comparableJobs(before, job)) : [];
  const { placements, rejections, waiting, count } = placeRun(job, rooms, random);
  const isSame = before !== undefined && changes.length === 0 && entry?.isStopped === false;
  const startsNow = !isSame && job.schedule === undefined && job.parameterized === undefined;
  return {
    action:
      before === undefined
        ? PlanAction.PLAN_ACTION_CREATE
        : isSame
          ? PlanAction.PLAN_ACTION_NONE
          : PlanAction.PLAN_ACTION_UPDATE,
    version: before ? (entry?.current.version ?? 0) : 0,
    changes,
    placements,
    rejections,
    groups: [],
    obstacles: [],
    waiting,
    warnings: [],
    startCount: startsNow ? count : 0,
    stopCount: startsNow && entry ? activeRuns(entry).flatMap((run) => run.instances).length : 0,
  };
}

/** Where one run would go now; of a group that finds no place, or not enough, why not. */
function placeRun(
  job: Job,
  rooms: readonly Room[],
  random: Random,
): Pick<PlanResponse, "placements" | "rejections" | "waiting"> & { count: number } {
  const matcher = new Matcher(rooms, random);
  const placements: PlanPlacement[] = [];
  const rejections: AgentRejection[] = [];
  const waiting: PlanResponse["waiting"] = [];
  let count = 0;
  for (const group of job.groups) {
    const occupants = matcher.occupants([]);
    const need = needOf(job, group);
    const before = placements.length;
    for (const [index, agentId] of placesOf(job, group, need, rooms).entries()) {
      if (count >= placementsMax) break;
      count += 1;
      const instance = `${job.id}.${group.name}.${index}`;
      const found = matcher.place(need, occupants, agentId);
      if ("placed" in found) {
        placements.push({ instance, ...found.placed });
        continue;
      }
      placements.push({ instance, agentId: "", agentName: "" });
      for (const rejection of found.rejections) rejections.push({ group: group.name, ...rejection });
      // What has no room on one agent of all may have it on the next.
      if (agentId === undefined) break;
    }
    const own = placements.slice(before);
    const isShort = own.some(({ agentId }) => agentId === "");
    const missing = isEverywhere(job)
      ? own.filter(({ agentId }) => agentId === "").length
      : group.count - own.filter(({ agentId }) => agentId !== "").length;
    const waits = isShort ? waitingInPlan(group.name, need, missing, rooms) : undefined;
    if (waits) waiting.push(waits);
  }
  return { placements, rejections, waiting, count };
}

/** The agents that instances of a group belong to, in a run on every agent; else for each instance: any. */
function placesOf(job: Job, { count }: TaskGroup, need: Need, rooms: readonly Room[]): (string | undefined)[] {
  if (!isEverywhere(job)) return Array.from({ length: count }, () => undefined);
  return count === 0 ? [] : rooms.filter((room) => canRunThere(need, room)).map(({ agentId }) => agentId);
}

/** Why the waiting instances of a job wait, by agent. */
export function rejectionsOf(entry: JobEntry, rooms: readonly Room[], nowMs: number, random: Random): AgentRejection[] {
  const rejections = new Map<string, AgentRejection>();
  const matcher = new Matcher(rooms, random);
  for (const run of activeRuns(entry))
    for (const [groupIndex, group] of jobOf(entry, run).groups.entries()) {
      const waiting = run.instances.filter(
        (one) => one.groupIndex === groupIndex && one.phase === "waiting" && one.notBefore <= nowMs,
      );
      const [first] = waiting;
      if (!first) continue;
      const only = first.isPinned && new Set(waiting.map(({ agentId }) => agentId));
      for (const rejection of matcher.explain(needOf(jobOf(entry, run), group), []))
        if (!only || only.has(rejection.agentId))
          rejections.set(`${group.name}/${rejection.agentId}`, { group: group.name, ...rejection });
    }
  return [...rejections.values()];
}

function differences(before: unknown, after: unknown): PlanChange[] {
  const old = new Map(leaves(before, ""));
  const fresh = new Map(leaves(after, ""));
  const changes: PlanChange[] = [];
  for (const path of new Set([...old.keys(), ...fresh.keys()])) {
    const was = old.get(path) ?? "";
    const is = fresh.get(path) ?? "";
    if (was !== is && changes.length < changesMax) changes.push({ path, before: was, after: is });
  }
  return changes;
}

/** Every value of a job by its path; items of lists that have a name go by it. */
function* leaves(value: unknown, path: string): Generator<[string, string]> {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      const name = (item as { name?: unknown } | null)?.name;
      yield* leaves(item, `${path}[${typeof name === "string" ? name : index}]`);
    }
  } else if (typeof value === "object" && value !== null)
    for (const [key, item] of Object.entries(value)) yield* leaves(item, path === "" ? key : `${path}.${key}`);
  else if (value !== undefined) yield [path, String(value)];
}
