import { isLeavingOffer, Matcher, type Need, type Offer, roomOf, type Waits } from "@muster/framework-sdk";
import type { Job } from "@muster/jobspecs";
import { groupOf, launchGroup, needOf } from "./build.ts";
import type { CronState, Instance, JobEntry, LaunchGroup, Run } from "./model.ts";
import { activeRuns } from "./runs.ts";
import { jobOf, type Turn } from "./turn.ts";

/** An instance that could be launched now. */
export interface Candidate {
  readonly entry: JobEntry;
  readonly run: Run;
  readonly instance: Instance;
}

/** Instances that want an offer, by role; the more important first, then those that were due first. */
export function candidates(state: CronState, nowMs: number): Map<string, Candidate[]> {
  const byRole = new Map<string, Candidate[]>();
  for (const entry of state.jobs.values()) {
    const { overlap } = entry.current.job.schedule ?? {};
    const isSerial = overlap === "cancel" || overlap === "buffer_one";
    for (const [place, run] of activeRuns(entry).entries()) {
      if (run.ending !== undefined || (isSerial && place > 0)) continue;
      for (const instance of run.instances) {
        if (instance.phase !== "waiting" || instance.inQuestion || instance.notBefore > nowMs) continue;
        // Not launched before its record is durable: else it could be launched twice.
        if (instance.recordedAt > entry.savedRevision) continue;
        const { role } = jobOf(entry, run);
        const ofRole = byRole.get(role);
        if (ofRole) ofRole.push({ entry, run, instance });
        else byRole.set(role, [{ entry, run, instance }]);
      }
    }
  }
  for (const ofRole of byRole.values())
    ofRole.sort(
      (a, b) => b.entry.current.job.priority - a.entry.current.job.priority || a.run.plannedAt - b.run.plannedAt,
    );
  return byRole;
}

/** Launches on offers what fits, and returns the rest. */
export function placeOn(turn: Turn, offers: readonly Offer[]): void {
  const waiting = candidates(turn.state, turn.nowMs);
  const byRole = new Map<string, Offer[]>();
  for (const offer of offers) {
    const ofRole = byRole.get(offer.role);
    if (ofRole) ofRole.push(offer);
    else byRole.set(offer.role, [offer]);
  }
  for (const [role, ofRole] of byRole) placeRole(turn, ofRole, waiting.get(role) ?? []);
}

function placeRole(turn: Turn, offers: readonly Offer[], waiting: readonly Candidate[]): void {
  // One offer an agent: a second one of the same agent is returned, and comes again. What begins now would not end
  // before planned maintenance.
  const staying = offers.filter((offer) => !isLeavingOffer(offer, turn.nowMs));
  const byAgent = new Map(staying.map((offer) => [offer.agentId, offer]));
  const launches = new Map<string, LaunchGroup[]>();
  const matcher = new Matcher([...byAgent.values()].map(roomOf), turn.state.random);
  for (const { entry, run, instance } of waiting) {
    const job = jobOf(entry, run);
    const occupants = run.instances.filter(
      (other) => other.phase === "launched" && other.groupIndex === instance.groupIndex,
    );
    const found = matcher.place(needOf(job, groupOf(job, instance)), occupants);
    if (!("placed" in found)) continue;
    instance.phase = "launched";
    instance.agentId = found.placed.agentId;
    instance.agentName = found.placed.agentName;
    const launch = launchGroup(job, run, instance, entry.versions.get(run.version)?.dispatch);
    const onAgent = launches.get(instance.agentId);
    if (onAgent) onAgent.push(launch);
    else launches.set(instance.agentId, [launch]);
    turn.effects.push({ type: "changed", jobId: entry.id });
  }
  const unused: string[] = [];
  for (const offer of offers) {
    const groups = byAgent.get(offer.agentId) === offer ? launches.get(offer.agentId) : undefined;
    if (groups) turn.effects.push({ type: "accept", offerIds: [offer.offerId], groups });
    else unused.push(offer.offerId);
  }
  if (unused.length > 0) turn.effects.push({ type: "decline", offerIds: unused });
}

/** Says what waits if that has changed or time has passed, and asks anew for what was refused when there is more. */
export function adjustDemand(turn: Turn, hasTimePassed: boolean): void {
  const { state } = turn;
  if (!state.isOpen) return;
  const waiting = candidates(state, turn.nowMs);
  const considered = new Set<Instance>();
  const revive: string[] = [];
  for (const [role, ofRole] of waiting) {
    // What waits anew has not been considered for what was declined.
    if (ofRole.some(({ instance }) => !state.considered.has(instance))) revive.push(role);
    for (const { instance } of ofRole) considered.add(instance);
  }
  const isSame = revive.length === 0 && considered.size === state.considered.size;
  state.considered = considered;
  if (!isSame || state.isAnew || (hasTimePassed && considered.size > 0))
    turn.effects.push({
      type: "demand",
      waiting: [...waiting].flatMap(([role, ofRole]) => waitsOf(state, role, ofRole)),
    });
  state.isAnew = false;
  if (revive.length > 0) turn.effects.push({ type: "revive", roles: revive });
}

function waitsOf(state: CronState, role: string, waiting: readonly Candidate[]): Waits[] {
  return waiting.map(({ entry, run, instance }) => {
    const job = jobOf(entry, run);
    const key = `${job.id}/${run.version}/${instance.groupIndex}`;
    return { role, key, need: knownNeed(state, job, instance), priority: job.priority };
  });
}

/** Worked out once for each group of a version: it is asked for whenever something changes. */
function knownNeed(state: CronState, job: Job, instance: Instance): Need {
  const group = groupOf(job, instance);
  let need = state.needs.get(group);
  if (need === undefined) {
    need = needOf(job, group);
    state.needs.set(group, need);
  }
  return need;
}
