import { isLeavingOffer, Matcher, type Need, type Offer, pinnedTo, roomOf, type Waits } from "@muster/framework-sdk";
import type { Job } from "@muster/jobspecs";
import { groupOf, launchGroup, needOf } from "./build.ts";
import { isAway } from "./every-agent.ts";
import type { Candidate, CronState, Instance, JobEntry, LaunchGroup, Run } from "./model.ts";
import { activeRuns } from "./runs.ts";
import { jobOf, type Turn } from "./turn.ts";

/** Instances of a job that want an offer now. */
function candidatesOf(state: CronState, entry: JobEntry, nowMs: number): Candidate[] {
  const { overlap } = entry.current.job.schedule ?? {};
  const isSerial = overlap === "cancel" || overlap === "buffer_one";
  const found: Candidate[] = [];
  for (const [place, run] of activeRuns(entry).entries()) {
    if (run.ending !== undefined || (isSerial && place > 0)) continue;
    for (const instance of run.instances) {
      if (instance.phase !== "waiting" || instance.inQuestion || instance.notBefore > nowMs) continue;
      // Not launched before its record is durable: else it could be launched twice.
      if (instance.recordedAt > entry.savedRevision || isAway(state, instance)) continue;
      found.push({ entry, run, instance });
    }
  }
  return found;
}

/** What wants an offer, by role; the more important first, then what was due first. O(waiting log waiting). */
function byRole({ waiting }: CronState): Map<string, Candidate[]> {
  const roles = new Map<string, Candidate[]>();
  for (const candidates of waiting.values())
    for (const candidate of candidates) {
      const { role } = jobOf(candidate.entry, candidate.run);
      const ofRole = roles.get(role);
      if (ofRole) ofRole.push(candidate);
      else roles.set(role, [candidate]);
    }
  for (const ofRole of roles.values())
    ofRole.sort(
      (a, b) => b.entry.current.job.priority - a.entry.current.job.priority || a.run.plannedAt - b.run.plannedAt,
    );
  return roles;
}

/** Launches on offers what fits, and returns the rest. */
export function placeOn(turn: Turn, offers: readonly Offer[]): void {
  const waiting = byRole(turn.state);
  const offered = new Map<string, Offer[]>();
  for (const offer of offers) {
    const ofRole = offered.get(offer.role);
    if (ofRole) ofRole.push(offer);
    else offered.set(offer.role, [offer]);
  }
  for (const [role, ofRole] of offered) placeRole(turn, ofRole, waiting.get(role) ?? []);
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
    const need = knownNeed(turn.state, job, instance);
    const found = instance.isPinned
      ? matcher.place(need, [], instance.agentId)
      : matcher.place(need, occupantsBeside(run, instance));
    if (!("placed" in found)) continue;
    instance.phase = "launched";
    instance.agentId = found.placed.agentId;
    instance.agentName = found.placed.agentName;
    const launch = launchGroup(job, run, instance, entry.versions.get(run.version)?.dispatch);
    const onAgent = launches.get(instance.agentId);
    if (onAgent) onAgent.push(launch);
    else launches.set(instance.agentId, [launch]);
    turn.effects.push({ type: "changed", jobId: entry.id });
    turn.looked.add(entry);
  }
  const unused: string[] = [];
  for (const offer of offers) {
    const groups = byAgent.get(offer.agentId) === offer ? launches.get(offer.agentId) : undefined;
    if (groups) turn.effects.push({ type: "accept", offerIds: [offer.offerId], groups });
    else unused.push(offer.offerId);
  }
  if (unused.length > 0) turn.effects.push({ type: "decline", offerIds: unused });
}

function occupantsBeside({ instances }: Run, { groupIndex }: Instance): Instance[] {
  return instances.filter((other) => other.phase === "launched" && other.groupIndex === groupIndex);
}

/** Says that what waits has changed, or that time has passed, and asks anew for what was refused when there is more. */
export function adjustDemand(turn: Turn, hasTimePassed: boolean): void {
  const { state } = turn;
  const revive = new Set<string>();
  let isSame = true;
  for (const entry of turn.looked) {
    const before = state.waiting.get(entry) ?? [];
    const after = state.jobs.get(entry.id) === entry ? candidatesOf(state, entry, turn.nowMs) : [];
    const known = new Set(before.map(({ instance }) => instance));
    // What waits anew has not been considered for what was declined.
    for (const { run, instance } of after) if (!known.delete(instance)) revive.add(jobOf(entry, run).role);
    if (known.size > 0) isSame = false;
    if (after.length > 0) state.waiting.set(entry, after);
    else state.waiting.delete(entry);
  }
  if (!state.isOpen) return;
  if (revive.size > 0 || !isSame || state.isAnew || (hasTimePassed && state.waiting.size > 0))
    turn.effects.push({ type: "demand" });
  state.isAnew = false;
  if (revive.size > 0) turn.effects.push({ type: "revive", roles: [...revive] });
}

/** Everything that waits for an agent. O(waiting log waiting). */
export function waitsOf(state: CronState): Waits[] {
  return [...byRole(state)].flatMap(([role, waiting]) =>
    waiting.map(({ entry, run, instance }) => {
      const job = jobOf(entry, run);
      const key = `${job.id}/${run.version}/${instance.groupIndex}`;
      const need = knownNeed(state, job, instance);
      const { priority } = job;
      if (!instance.isPinned) return { role, key, need, priority };
      const { agentId } = instance;
      return { role, key: `${key}@${agentId}`, need: pinnedTo(need, agentId), priority };
    }),
  );
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
