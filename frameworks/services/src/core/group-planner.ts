import { type ClusterAgent, type Need, StatusReason, TaskState } from "@muster/framework-sdk";
import { type MigrateStrategy, ownVolumes, type TaskGroup, type UpdateStrategy } from "@muster/jobspecs";
import { startsAfter } from "./dependencies.ts";
import { canariesOf, canaryBase, isHeld, isMadeLike } from "./deployments.ts";
import { keptOf, replacedAtMs } from "./disconnects.ts";
import { healthyDeadlineMs } from "./healthy-deadline.ts";
import { hasOthers, leavesInMs } from "./leaving.ts";
import {
  type Instance,
  isCurrent,
  type JobEntry,
  type JobVersionEntry,
  type Now,
  type ServicesState,
  type Slot,
  servingMark,
  slotKeyOf,
  type Want,
} from "./model.ts";
import { movesAtOnce } from "./rebalance-pace.ts";
import { remainingDelayMs } from "./restarts.ts";
import type { JobPlan } from "./rollout.ts";
import { slotsOf } from "./slots.ts";
import { isLeavingFiles, isSticky, stickyWish } from "./sticky.ts";
import { isBound, lookAtVolumes, needWithVolumes, slotVolumes } from "./volumes.ts";

/** A surplus instance that finds no room for so long lets its predecessor go first. */
export const surgeStuckMs = 5_000;

/** An instance that is to go to another agent, where its successor finds no room for so long, stays. */
const moveGivenUpMs = 60_000;

interface SlotView {
  readonly slot: Slot;
  /** Of the current version; the best if there are several. */
  current: Instance | undefined;
  /** Of older ones. */
  readonly old: Instance[];
}

/** Compares what one group of a job should be with what it is. */
export class GroupPlanner {
  readonly #state: ServicesState;
  readonly #entry: JobEntry;
  readonly #group: TaskGroup;
  readonly #instances: readonly Instance[];
  readonly #now: Now;
  readonly #agents: ReadonlyMap<string, ClusterAgent>;
  readonly #plan: JobPlan;
  readonly #serving = new Set<string>();
  /** It can't start before other jobs are ready. */
  #isHeldBack = false;

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
    this.#isHeldBack = startsAfter(this.#state, this.#entry, this.#group, this.#agents).length > 0;
    if (this.#isHeldBack) this.#plan.isHeldBack = true;
    const views = this.#viewSlots();
    const base = canaryBase(this.#entry, this.#group);
    if (base && this.#entry.current.job.type === "system") this.#tryOnSomeAgents(views, base);
    else if (base) this.#tryCanaries(views, base);
    else this.#replace(views);
    for (const view of views) this.#failLate(view);
    const settled = views.filter((view) => view.old.length === 0 && this.#isSettled(view.current));
    this.#plan.settledCount += settled.length;
    if (settled.length < views.length) this.#plan.isStable = false;
    const { name } = this.#group;
    const keys = new Set(views.map((view) => slotKeyOf(this.#entry, this.#entry.current, name, view.slot.index)));
    // An instance that was out of reach has come back to its place.
    for (const { current, slot } of views)
      if (current) this.#entry.waiting.delete(slotKeyOf(this.#entry, this.#entry.current, name, slot.index));
    for (const key of this.#entry.waiting.keys())
      if ((key.startsWith(`${name}/`) && !keys.has(key)) || this.#isPast(key)) this.#entry.waiting.delete(key);
  }

  /**
   * An instance that an update or a migration waits for, and that has not proved itself in its time, has failed: it ends,
   * and is tried again as after any other failure. Nobody's time runs while people hold the deployment.
   */
  #failLate({ current, old }: SlotView): void {
    if (current === undefined || current.endedBy !== undefined || current.unreachableSinceMs !== undefined) return;
    const { record } = this.#entry.current;
    const isMigrating = old.length > 0 && old.every((one) => isCurrent(this.#entry, one));
    if ((record.stable && !isMigrating) || isHeld(this.#entry.current)) return;
    const migrate = isMigrating ? this.#group.migrate : undefined;
    if (this.#hasProved(current, migrate ?? this.#group.update)) return;
    const deadlineMs = healthyDeadlineMs(this.#group, migrate);
    const atMs = current.launchedMs + deadlineMs;
    if (this.#now.monotonicMs < atMs) {
      this.#wakeAt(atMs);
      return;
    }
    if (this.#plan.kills.includes(current)) return;
    const [taskId = ""] = current.tasks.keys();
    const message = `not healthy within ${deadlineMs / 1_000} s (healthy_deadline)`;
    const reason = StatusReason.REASON_UNHEALTHY;
    current.endedBy = { taskId, state: TaskState.TASK_FAILED, reason, message, signal: "" };
    this.#plan.ends.push(current);
  }

  /** It waited to serve beside canaries, and is not wanted any more. */
  #isPast(key: string): boolean {
    return key.startsWith(`${this.#group.name}${servingMark}/`) && !this.#serving.has(key);
  }

  #replace(views: readonly SlotView[]): void {
    const waiting = views.filter((view) => view.current === undefined && view.old.length === 0);
    for (const view of waiting) this.#want(view.slot);
    if (isBound(this.#entry, this.#group) || isSticky(this.#group)) {
      this.#replaceInPlace(views, waiting.length);
      return;
    }
    const staying = this.#move(views, waiting.length);
    // A deployment that is held keeps no agent from being emptied.
    const moving = isHeld(this.#entry.current)
      ? staying.filter(({ old }) => old.some((instance) => this.#isLeaving(instance)))
      : staying;
    const { migrate } = this.#group;
    const updating = migrate ? this.#migrate(moving, waiting.length, migrate) : moving;
    if (updating.some((view) => view.old.length > 0)) this.#update(updating, waiting.length);
  }

  /**
   * Instances with volumes or sticky disks: what they leave has one user, so what is there ends before its successor starts,
   * so many at a time as an update may stop. What leaves the agent that has its volume ends at once, for it comes back there
   * and nowhere else.
   */
  #replaceInPlace(views: readonly SlotView[], vacantCount: number): void {
    const { method } = this.#group.update;
    for (const view of views) if (view.current !== undefined) this.#plan.kills.push(...view.old);
    const outdated = views.filter((view) => view.old.length > 0 && view.current === undefined);
    const isLeaving = ({ old }: SlotView): boolean => old.every((one) => isCurrent(this.#entry, one));
    const isFixed = isBound(this.#entry, this.#group);
    for (const view of outdated) if (isFixed && isLeaving(view)) this.#plan.kills.push(...view.old);
    const isHeldHere = isHeld(this.#entry.current);
    const most =
      method.kind === "batch"
        ? method.maxParallel || views.length
        : Math.max(1, Math.floor((views.length * (100 - method.minHealthyPercent)) / 100));
    const unsettled = views.filter((view) => view.current !== undefined && !this.#isSettled(view.current)).length;
    this.#stopFirst(
      outdated.filter((view) => (isLeaving(view) ? !isFixed : !isHeldHere)),
      most - unsettled - vacantCount,
    );
  }

  /**
   * Instances that somebody wants on other agents go one after another as the job's pace allows, and none of them ends
   * before its successor has proved itself. A successor that finds no room for long is given up. Gives back the slots as
   * an update sees them.
   */
  #move(views: readonly SlotView[], vacantCount: number): readonly SlotView[] {
    const moving = new Set(
      views.filter(
        ({ old }) =>
          old.length > 0 &&
          old.every((one) => one.move !== undefined && isCurrent(this.#entry, one) && !this.#isWantedBack(one)),
      ),
    );
    if (moving.size === 0) return views;
    const by = this.#group.migrate ?? this.#group.update;
    const proved = (view: SlotView): boolean => view.current !== undefined && this.#hasProved(view.current, by);
    let underWay = vacantCount + views.filter((view) => view.current !== undefined && !proved(view)).length;
    for (const view of moving) {
      if (view.current !== undefined) {
        if (proved(view)) this.#plan.kills.push(...view.old);
        continue;
      }
      const [move] = view.old.flatMap((one) => one.move ?? []);
      if (move === undefined || underWay >= movesAtOnce(this.#group)) continue;
      underWay++;
      move.wantedSinceMs ??= this.#now.monotonicMs;
      const givenUpAtMs = move.wantedSinceMs + moveGivenUpMs;
      if (this.#now.monotonicMs < givenUpAtMs) {
        this.#want({ ...view.slot, agentId: move.toAgentId });
        this.#wakeAt(givenUpAtMs);
        continue;
      }
      for (const one of view.old) one.move = undefined;
      this.#entry.waiting.delete(slotKeyOf(this.#entry, this.#entry.current, this.#group.name, view.slot.index));
    }
    return views.map((view) => (moving.has(view) ? { ...view, current: view.current ?? view.old[0], old: [] } : view));
  }

  /**
   * Instances of the current version that leave an agent go by the job's own pace: as many successors as may be under
   * way at a time, each predecessor ends when its successor has proved itself, or if there is no room beside it. Gives
   * back the slots as an update sees them, for which these are as they should be.
   */
  #migrate(views: readonly SlotView[], vacantCount: number, migrate: MigrateStrategy): readonly SlotView[] {
    const isMigrating = ({ old }: SlotView): boolean =>
      old.length > 0 && old.every((instance) => isCurrent(this.#entry, instance));
    const proved = (view: SlotView): boolean => view.current !== undefined && this.#hasProved(view.current, migrate);
    let underWay = vacantCount + views.filter((view) => view.current !== undefined && !proved(view)).length;
    for (const view of views) {
      if (!isMigrating(view)) continue;
      if (view.current !== undefined) {
        if (proved(view)) this.#plan.kills.push(...view.old);
        continue;
      }
      if (underWay >= migrate.maxParallel) continue;
      const isAlone = underWay === 0;
      underWay++;
      if (this.#wantBeside(view.slot) >= surgeStuckMs && isAlone) this.#plan.kills.push(...view.old);
    }
    return views.map((view) => (isMigrating(view) ? { ...view, current: view.current ?? view.old[0], old: [] } : view));
  }

  /**
   * The first slots get a canary beside what serves there; nothing that serves ends on its account, and what of it ends
   * by itself is made again of the version that serves, unless the slot's canary has proved itself.
   */
  #tryCanaries(views: readonly SlotView[], base: JobVersionEntry): void {
    const wanted = canariesOf(this.#group, views.length);
    for (const [place, view] of views.entries()) {
      const isProved = this.#isSettled(view.current);
      const inOrder = [...view.old].sort((a, b) => this.#rankServing(b, base) - this.#rankServing(a, base));
      const staying = inOrder.filter((instance) => !this.#isLeaving(instance));
      this.#plan.kills.push(...staying.slice(1));
      const leaving = inOrder.filter((instance) => this.#isLeaving(instance));
      this.#plan.kills.push(...leaving.slice(isProved || this.#isSettled(staying[0]) ? 0 : 1));
      if (staying.length === 0 && !isProved) this.#want(view.slot, base);
      if (place < wanted) {
        this.#plan.canariesWanted++;
        if (isProved) {
          this.#plan.canariesSettled++;
          if (view.old.length > 0) this.#plan.settledCount++;
        }
        if (view.current === undefined && !isHeld(this.#entry.current)) this.#want(view.slot);
      } else if (view.current !== undefined && view.old.length > 0) this.#plan.kills.push(view.current);
    }
    this.#awaitPromotion();
  }

  /**
   * Of a system job some agents get the new version in the place of what they have, those first that have it already.
   * Everywhere else, also on agents that come meanwhile, what served goes on serving.
   */
  #tryOnSomeAgents(views: readonly SlotView[], base: JobVersionEntry): void {
    const inOrder = [...views].sort((a, b) => Number(b.current !== undefined) - Number(a.current !== undefined));
    const chosen = new Set(inOrder.slice(0, canariesOf(this.#group, views.length)));
    for (const view of views) {
      const { slot, current, old } = view;
      const isProved = this.#isSettled(current);
      if (chosen.has(view)) {
        this.#plan.canariesWanted++;
        if (isProved) this.#plan.canariesSettled++;
        if (current !== undefined || !isHeld(this.#entry.current)) this.#plan.kills.push(...old);
        if (current === undefined && !isHeld(this.#entry.current)) this.#want(slot);
      } else {
        const serving = [...old].sort((a, b) => this.#rankServing(b, base) - this.#rankServing(a, base));
        this.#plan.kills.push(...serving.filter((one, place) => place > 0 || this.#isLeaving(one)));
        if (current === undefined && old.length === 0) this.#want(slot, base);
      }
    }
    this.#awaitPromotion();
  }

  #awaitPromotion(): void {
    this.#plan.isStable = false;
    if (!this.#group.update.autoPromote) this.#plan.promotesItself = false;
  }

  /** Of several that are out of date what serves is the version that did so, and the best of it. */
  #rankServing(instance: Instance, base: JobVersionEntry): number {
    return this.#rank(instance) + (isMadeLike(this.#entry, instance, base) ? 10 : 0);
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
        const other = view.current;
        const kept = keptOf(this.#group, instance, other);
        const isBetter =
          kept === undefined || kept === "both" ? this.#rank(instance) > this.#rank(other) : kept === instance;
        view.current = isBetter ? instance : other;
        if (kept !== "both") this.#plan.kills.push(isBetter ? other : instance);
      }
    }
    return [...views.values()];
  }

  /** Out of reach for so long that its place is given away. Should it come back, one of two stays. */
  #isLost(instance: Instance): boolean {
    if (instance.unreachableSinceMs === undefined) return false;
    const endsAtMs = replacedAtMs(this.#group, instance.unreachableSinceMs);
    if (endsAtMs === undefined) return false;
    if (this.#now.monotonicMs >= endsAtMs) return true;
    this.#wakeAt(endsAtMs);
    return false;
  }

  /** It is replaced as if its version were an older one. */
  #isLeaving(instance: Instance): boolean {
    return instance.move !== undefined || this.#isWantedBack(instance);
  }

  /** Its agent is to be left. */
  #isWantedBack(instance: Instance): boolean {
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

  #want(slot: Slot, version: JobVersionEntry = this.#entry.current): boolean {
    const entry = this.#entry;
    const group =
      version === entry.current ? this.#group : version.job.groups.find((one) => one.name === this.#group.name);
    const key = slotKeyOf(entry, version, this.#group.name, slot.index);
    const need = version.needs.get(this.#group.name);
    if (need === undefined || group === undefined) return false;
    if (version !== entry.current) this.#serving.add(key);
    // What earlier sessions have left may still be out there: nobody acts on a hole.
    if (!this.#state.isReconciled && !entry.isNew) return false;
    if (this.#isHeldBack || isLeavingFiles(entry, group, slot.index)) return false;
    const restarts = entry.restarts.get(key);
    if (restarts?.givenUp !== undefined) return false;
    const delayMs = restarts ? remainingDelayMs(restarts, this.#now.epochMs) : 0;
    if (delayMs > 0) {
      this.#wakeAt(this.#now.monotonicMs + delayMs);
      return false;
    }
    const sinceMs = entry.waiting.get(key) ?? this.#now.monotonicMs;
    entry.waiting.set(key, sinceMs);
    const wish = stickyWish(entry, group, slot, sinceMs, this.#agents, this.#now);
    if (wish.untilMs !== undefined) this.#wakeAt(wish.untilMs);
    const { predecessor } = wish;
    const free = { slot: wish.slot, need };
    const bound = ownVolumes(group).length === 0 ? free : this.#bind(group, slot, need);
    if (bound === undefined) return false;
    this.#plan.wants.push({ entry, version, group, ...bound, predecessor, role: entry.current.job.role, sinceMs });
    return true;
  }

  /** Where a place with volumes can be filled, and what it takes; undefined: what is known of them must change first. */
  #bind(group: TaskGroup, slot: Slot, need: Need): Pick<Want, "slot" | "need"> | undefined {
    const kept = slotVolumes(this.#entry, group, slot.index);
    const { isGivenUp, vanished, againAtMs } = lookAtVolumes(kept, this.#agents, this.#now);
    if (againAtMs !== undefined) this.#wakeAt(againAtMs);
    this.#plan.vanished.push(...vanished);
    if (isGivenUp) this.#plan.released.push(...kept);
    if (isGivenUp || vanished.length > 0) return undefined;
    const [first] = kept;
    return {
      slot: first ? { ...slot, agentId: first.record.agentId } : slot,
      need: needWithVolumes(need, group, kept),
    };
  }

  #update(views: readonly SlotView[], vacantCount: number): void {
    const { method } = this.#group.update;
    const outdated = views.filter((view) => view.old.length > 0 && view.current === undefined);
    const overlapping = views.filter((view) => view.old.length > 0 && view.current !== undefined);
    const unsettled =
      vacantCount + views.filter((view) => view.current !== undefined && !this.#isSettled(view.current)).length;
    if (method.kind === "batch" || this.#entry.current.job.type === "system") {
      for (const view of overlapping) {
        const isProved = this.#isSettled(view.current);
        this.#plan.kills.push(...view.old.filter((old) => isProved || old.healthySinceMs === undefined));
      }
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
    else {
      const spareCount = method.isStrict ? Math.max(0, healthyCount - healthyMin) : views.length;
      this.#startSurplus(outdated, views, vacantCount, method.surgePercent, unsettled, spareCount);
    }
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
    spareCount: number,
  ): void {
    let total = vacantCount;
    for (const view of views) total += view.old.length + (view.current ? 1 : 0);
    const most = views.length + surge(views.length, surgePercent);
    let stopped = unsettled;
    for (const view of outdated) {
      // What does not work need not be kept while its successor starts.
      const isBroken = view.old.every((old) => old.healthySinceMs === undefined);
      if (!isBroken && total >= most) continue;
      const waitsMs = this.#wantBeside(view.slot);
      if (isBroken || (waitsMs >= surgeStuckMs && stopped === 0 && spareCount > 0)) {
        this.#plan.kills.push(...view.old);
        stopped++;
      } else total++;
    }
  }

  /** Wants a successor beside what its slot has, and says for how many milliseconds it has found no room. */
  #wantBeside(slot: Slot): number {
    const key = slotKeyOf(this.#entry, this.#entry.current, this.#group.name, slot.index);
    const waitsMs = this.#now.monotonicMs - (this.#entry.waiting.get(key) ?? this.#now.monotonicMs);
    if (this.#want(slot) && waitsMs < surgeStuckMs) this.#wakeAt(this.#now.monotonicMs + surgeStuckMs - waitsMs);
    return waitsMs;
  }

  #stopFirst(outdated: readonly SlotView[], count: number): void {
    const brokenFirst = [...outdated].sort((a, b) => healthOf(a) - healthOf(b) || a.slot.index - b.slot.index);
    for (const view of brokenFirst.slice(0, Math.max(0, count))) {
      this.#plan.kills.push(...view.old);
      // Whose files it is to have ends first.
      if (!isSticky(this.#group)) this.#want(view.slot);
    }
  }

  /** Healthy for as long as the next step of an update waits. */
  #isSettled(instance: Instance | undefined): boolean {
    return instance !== undefined && this.#hasProved(instance, this.#group.update);
  }

  #hasProved(instance: Instance, by: Pick<UpdateStrategy, "healthCheck" | "minHealthyTimeMs">): boolean {
    const sinceMs = by.healthCheck === "task_states" ? instance.runningSinceMs : instance.healthySinceMs;
    if (sinceMs === undefined) return false;
    const atMs = sinceMs + by.minHealthyTimeMs;
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
