import type { ClusterAgent } from "@muster/framework-sdk";
import { constraintFault, isUsable, noNeighbours } from "@muster/framework-sdk";
import type { TaskGroup } from "@muster/jobspecs";
import { hasOthers, leavesInMs } from "./leaving.ts";
import {
  type Instance,
  isCurrent,
  type JobEntry,
  type Now,
  type ServicesState,
  type Slot,
  slotKey,
  type Want,
} from "./model.ts";
import { remainingDelayMs } from "./restarts.ts";
import { lacksTask, systemKey } from "./statuses.ts";

/** An instance whose agent has not answered for so long is replaced. */
export const unreachableMsMax = 60_000;
/** A surplus instance that finds no room for so long lets its predecessor go first. */
export const surgeStuckMs = 5_000;

/** What is to be done for one job now. */
export interface JobPlan {
  readonly kills: Instance[];
  /** Instances of which a task has ended by itself: what is left ends too, and their slots wait until it has. */
  readonly ends: Instance[];
  readonly wants: Want[];
  /** To be looked at again at that moment (`monotonicMs`) even if nothing happens; undefined: no need. */
  wakeAtMs: number | undefined;
  /** How many slots are. */
  settledCount: number;
  /** Every slot is filled by a settled instance of the current version. */
  isStable: boolean;
}

/** Compares what a job should be with what it is. O(instances of the job). */
export function planJob(
  state: ServicesState,
  entry: JobEntry,
  now: Now,
  agents: ReadonlyMap<string, ClusterAgent>,
): JobPlan {
  const plan: JobPlan = {
    kills: [],
    ends: [],
    wants: [],
    wakeAtMs: undefined,
    settledCount: 0,
    isStable: !entry.isStopped,
  };
  const byGroup = new Map<string, Instance[]>();
  for (const instance of entry.instances.values()) {
    if (instance.isKilling) continue;
    if (!instance.isEnding && isIncomplete(state, instance)) plan.ends.push(instance);
    const list = byGroup.get(instance.group);
    if (list) list.push(instance);
    else byGroup.set(instance.group, [instance]);
  }
  for (const group of entry.current.job.groups) {
    new GroupPlanner(state, entry, group, byGroup.get(group.name) ?? [], now, agents, plan).run();
    byGroup.delete(group.name);
  }
  for (const instances of byGroup.values()) plan.kills.push(...instances);
  watchProgress(state, entry, plan, now);
  return plan;
}

/** An update that comes no further for as long as it may has failed. A version that was healthy once is no update. */
function watchProgress(state: ServicesState, entry: JobEntry, plan: JobPlan, now: Now): void {
  const { record, job } = entry.current;
  const deadlines = job.groups.map((group) => group.update.progressDeadlineMs).filter((ms) => ms > 0);
  const isKnown = state.isReconciled || entry.isNew;
  if (entry.isStopped || record.stable || plan.isStable) {
    entry.isOverdue = false;
    return;
  }
  if (!isKnown || deadlines.length === 0) return;
  const { progress } = entry;
  if (progress === undefined || plan.settledCount > progress.settledCount)
    entry.progress = { settledCount: plan.settledCount, sinceMs: now.monotonicMs };
  const endsAtMs = (entry.progress?.sinceMs ?? 0) + Math.min(...deadlines);
  if (now.monotonicMs >= endsAtMs) entry.isOverdue = true;
  else if (plan.wakeAtMs === undefined || endsAtMs < plan.wakeAtMs) plan.wakeAtMs = endsAtMs;
}

/** One of its tasks has ended, also if that was before this process: what is left of it is of no use. */
function isIncomplete(state: ServicesState, instance: Instance): boolean {
  return instance.endedBy !== undefined || (state.isReconciled && lacksTask(instance));
}

interface SlotView {
  readonly slot: Slot;
  /** Of the current version; the best if there are several. */
  current: Instance | undefined;
  /** Of older ones. */
  readonly old: Instance[];
}

class GroupPlanner {
  readonly #state: ServicesState;
  readonly #entry: JobEntry;
  readonly #group: TaskGroup;
  readonly #instances: readonly Instance[];
  readonly #now: Now;
  readonly #agents: ReadonlyMap<string, ClusterAgent>;
  readonly #plan: JobPlan;

  constructor(
    state: ServicesState,
    entry: JobEntry,
    group: TaskGroup,
    instances: readonly Instance[],
    now: Now,
    agents: ReadonlyMap<string, ClusterAgent>,
    plan: JobPlan,
  ) {
    this.#state = state;
    this.#entry = entry;
    this.#group = group;
    this.#instances = instances;
    this.#now = now;
    this.#agents = agents;
    this.#plan = plan;
  }

  run(): void {
    const views = this.#viewSlots();
    const waiting = views.filter((view) => view.current === undefined && view.old.length === 0);
    for (const view of waiting) this.#want(view.slot);
    if (views.some((view) => view.old.length > 0)) this.#update(views, waiting.length);
    const settled = views.filter((view) => view.old.length === 0 && this.#isSettled(view.current));
    this.#plan.settledCount += settled.length;
    if (settled.length < views.length) this.#plan.isStable = false;
    const keys = new Set(views.map((view) => slotKey(this.#group.name, view.slot.index)));
    for (const key of this.#entry.waiting.keys())
      if (key.startsWith(`${this.#group.name}/`) && !keys.has(key)) this.#entry.waiting.delete(key);
  }

  /** Sorts instances into the slots that are wanted; what belongs to none, or is one too many, is to end. */
  #viewSlots(): SlotView[] {
    const views = new Map<number, SlotView>();
    for (const slot of slotsOf(this.#entry, this.#group, this.#agents, this.#instances))
      views.set(slot.index, { slot, current: undefined, old: [] });
    for (const instance of this.#instances) {
      const view = views.get(instance.index);
      if (view === undefined) {
        this.#plan.kills.push(instance);
        continue;
      }
      if (this.#isLost(instance)) continue;
      if (!isCurrent(this.#entry, instance) || this.#isLeaving(instance)) view.old.push(instance);
      else if (view.current === undefined) view.current = instance;
      else {
        const [better, worse] =
          this.#rank(instance) > this.#rank(view.current) ? [instance, view.current] : [view.current, instance];
        view.current = better;
        this.#plan.kills.push(worse);
      }
    }
    return [...views.values()];
  }

  /** Out of reach for so long that its place is given away. Should it come back, the better of two stays. */
  #isLost(instance: Instance): boolean {
    if (instance.unreachableSinceMs === undefined) return false;
    const endsAtMs = instance.unreachableSinceMs + unreachableMsMax;
    if (this.#now.monotonicMs >= endsAtMs) return true;
    this.#wakeAt(endsAtMs);
    return false;
  }

  /** Its agent is wanted back: it is replaced as if its version were an older one. */
  #isLeaving(instance: Instance): boolean {
    const inMs = leavesInMs(this.#agents.get(instance.agentId), this.#now);
    if (inMs === undefined || !this.#state.isReconciled) return false;
    if (inMs > 0) {
      this.#wakeAt(this.#now.monotonicMs + inMs);
      return false;
    }
    return this.#entry.current.job.type !== "system" || !hasOthers(this.#state, instance.agentId);
  }

  #rank(instance: Instance): number {
    const { monotonicMs } = this.#now;
    const age = Math.min((monotonicMs - instance.launchedMs) / 1e12, 0.5);
    if (instance.cameBackLate) return -1;
    if (instance.healthySinceMs !== undefined) return 3 + age;
    if (instance.runningSinceMs !== undefined) return 2 + age;
    return (instance.unreachableSinceMs === undefined ? 1 : 0) + age;
  }

  #want(slot: Slot): boolean {
    const entry = this.#entry;
    const key = slotKey(this.#group.name, slot.index);
    const need = entry.current.needs.get(this.#group.name);
    if (need === undefined) return false;
    // What earlier sessions have left may still be out there: nobody acts on a hole.
    if (!this.#state.isReconciled && !entry.isNew) return false;
    const restarts = entry.restarts.get(key);
    if (restarts?.givenUp !== undefined) return false;
    const delayMs = restarts ? remainingDelayMs(restarts, this.#now.epochMs) : 0;
    if (delayMs > 0) {
      this.#wakeAt(this.#now.monotonicMs + delayMs);
      return false;
    }
    const sinceMs = entry.waiting.get(key) ?? this.#now.monotonicMs;
    entry.waiting.set(key, sinceMs);
    this.#plan.wants.push({ entry, group: this.#group, slot, need, role: entry.current.job.role, sinceMs });
    return true;
  }

  #update(views: readonly SlotView[], vacantCount: number): void {
    const { method } = this.#group.update;
    const outdated = views.filter((view) => view.old.length > 0 && view.current === undefined);
    const overlapping = views.filter((view) => view.old.length > 0 && view.current !== undefined);
    const unsettled =
      vacantCount + views.filter((view) => view.current !== undefined && !this.#isSettled(view.current)).length;
    if (method.kind === "batch" || this.#entry.current.job.type === "system") {
      for (const view of overlapping) this.#plan.kills.push(...view.old);
      const most =
        method.kind === "batch"
          ? method.maxParallel || views.length
          : Math.max(1, surge(views.length, method.surgePercent));
      this.#stopFirst(outdated, most - unsettled);
      return;
    }
    const healthyMin = Math.ceil((views.length * method.minHealthyPercent) / 100);
    let healthyCount = 0;
    for (const view of views) {
      const all = view.current ? [view.current, ...view.old] : view.old;
      healthyCount += all.filter((one) => one.healthySinceMs !== undefined).length;
    }
    for (const view of overlapping)
      for (const old of view.old) {
        const isHealthy = old.healthySinceMs !== undefined;
        if (isHealthy && (!this.#isSettled(view.current) || healthyCount - 1 < healthyMin)) continue;
        if (isHealthy) healthyCount--;
        this.#plan.kills.push(old);
      }
    // An update that was overtaken left two in one slot: with both, no successor would ever find its turn.
    for (const view of outdated)
      for (const old of [...view.old].sort((a, b) => this.#rank(b) - this.#rank(a)).slice(1)) {
        if (old.healthySinceMs !== undefined && healthyCount - 1 < healthyMin) continue;
        if (old.healthySinceMs !== undefined) healthyCount--;
        this.#plan.kills.push(old);
      }
    if (method.surgePercent === 0) this.#stopWithin(outdated, views, healthyMin);
    else this.#startSurplus(outdated, views, vacantCount, method.surgePercent, unsettled);
  }

  /** Stops old instances as long as enough are healthy without them; those that are not need not be kept. */
  #stopWithin(outdated: readonly SlotView[], views: readonly SlotView[], healthyMin: number): void {
    const settledCount = views.filter((view) => this.#isSettled(view.current)).length;
    const oldCount = outdated.filter((view) => healthOf(view) > 0).length;
    const brokenCount = outdated.length - oldCount;
    this.#stopFirst(outdated, brokenCount + Math.max(0, settledCount + oldCount - healthyMin));
  }

  /** Starts successors beside their predecessors, as many as may be there too many. */
  #startSurplus(
    outdated: readonly SlotView[],
    views: readonly SlotView[],
    vacantCount: number,
    surgePercent: number,
    unsettled: number,
  ): void {
    let total = vacantCount;
    for (const view of views) total += view.old.length + (view.current ? 1 : 0);
    const most = views.length + surge(views.length, surgePercent);
    let stopped = unsettled;
    for (const view of outdated) {
      // What does not work need not be kept while its successor starts.
      const isBroken = view.old.every((old) => old.healthySinceMs === undefined);
      if (!isBroken && total >= most) continue;
      const key = slotKey(this.#group.name, view.slot.index);
      const waitsMs = this.#now.monotonicMs - (this.#entry.waiting.get(key) ?? this.#now.monotonicMs);
      if (isBroken || (waitsMs >= surgeStuckMs && stopped === 0)) {
        this.#plan.kills.push(...view.old);
        stopped++;
      } else total++;
      if (this.#want(view.slot) && waitsMs < surgeStuckMs) this.#wakeAt(this.#now.monotonicMs + surgeStuckMs - waitsMs);
    }
  }

  #stopFirst(outdated: readonly SlotView[], count: number): void {
    const brokenFirst = [...outdated].sort((a, b) => healthOf(a) - healthOf(b) || a.slot.index - b.slot.index);
    for (const view of brokenFirst.slice(0, Math.max(0, count))) {
      this.#plan.kills.push(...view.old);
      this.#want(view.slot);
    }
  }

  /** Healthy for as long as the next step of an update waits. */
  #isSettled(instance: Instance | undefined): boolean {
    const { healthCheck, minHealthyTimeMs } = this.#group.update;
    const sinceMs = healthCheck === "task_states" ? instance?.runningSinceMs : instance?.healthySinceMs;
    if (sinceMs === undefined) return false;
    const atMs = sinceMs + minHealthyTimeMs;
    if (this.#now.monotonicMs >= atMs) return true;
    this.#wakeAt(atMs);
    return false;
  }

  #wakeAt(atMs: number): void {
    if (this.#plan.wakeAtMs === undefined || atMs < this.#plan.wakeAtMs) this.#plan.wakeAtMs = atMs;
  }
}

function surge(count: number, percent: number): number {
  return percent === 0 ? 0 : Math.max(1, Math.ceil((count * percent) / 100));
}

function healthOf(view: SlotView): number {
  return view.old.some((old) => old.healthySinceMs !== undefined) ? 1 : 0;
}

/** The places of a group: so many as its count, or of a system job one per agent that it may run on. */
export function slotsOf(
  entry: JobEntry,
  group: TaskGroup,
  agents: ReadonlyMap<string, ClusterAgent>,
  instances: readonly Instance[],
): Slot[] {
  if (entry.isStopped || group.count === 0) return [];
  if (entry.current.job.type !== "system")
    return Array.from({ length: group.count }, (_, index) => ({ index, agentId: undefined }));
  const wanted = new Map<string, Slot>();
  const used = new Set<number>();
  for (const [key, index] of entry.systemIndexes) if (key.startsWith(`${group.name}/`)) used.add(index);
  const add = (agentId: string): void => {
    const key = systemKey(group.name, agentId);
    let index = entry.systemIndexes.get(key);
    if (index === undefined) {
      index = 0;
      while (used.has(index)) index++;
      used.add(index);
      entry.systemIndexes.set(key, index);
    }
    wanted.set(agentId, { index, agentId });
  };
  const constraints = entry.current.needs.get(group.name)?.constraints ?? [];
  for (const agent of agents.values()) {
    if (!isUsable(agent)) continue;
    const traits = { agentId: agent.agentId, agentName: agent.name, attributes: agent.attributes };
    if (constraints.every((constraint) => constraintFault(constraint, traits, noNeighbours) === undefined))
      add(agent.agentId);
  }
  // An agent that is away for a while keeps its instance.
  for (const { agentId } of instances) {
    const agent = agents.get(agentId);
    if (agent === undefined || !isUsable(agent)) add(agentId);
  }
  return [...wanted.values()];
}
