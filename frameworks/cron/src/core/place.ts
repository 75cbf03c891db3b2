import { isLeavingOffer, Matcher, type Offer, roomOf } from "@muster/framework-sdk";
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
    const launch = launchGroup(job, run, instance);
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

/** Asks to be offered for roles in which something waits, and not to be for others. */
export function adjustDemand(turn: Turn): void {
  const { state } = turn;
  if (!state.isOpen) return;
  const waiting = candidates(state, turn.nowMs);
  const considered = new Set<Instance>();
  const revive: string[] = [];
  const suppress: string[] = [];
  for (const role of state.roles) {
    const ofRole = waiting.get(role) ?? [];
    // What waits anew has not been considered for what was declined.
    if (ofRole.some(({ instance }) => !state.considered.has(instance))) revive.push(role);
    else if (ofRole.length === 0 && state.revived.has(role)) suppress.push(role);
    for (const { instance } of ofRole) considered.add(instance);
  }
  state.considered = considered;
  for (const role of revive) state.revived.add(role);
  for (const role of suppress) state.revived.delete(role);
  if (revive.length > 0) turn.effects.push({ type: "revive", roles: revive });
  if (suppress.length > 0) turn.effects.push({ type: "suppress", roles: suppress });
}
