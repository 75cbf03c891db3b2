import {
  addResources,
  isEmptyResources,
  noResources,
  ResourceSum,
  type Resources,
  resources,
  subtractResources,
} from "@muster/foundation";
import type {
  AgentRecord,
  AgentStanding,
  AgentState,
  FrameworkRecord,
  OfferRecord,
  PortPart,
  Reservation as ReservationMessage,
  ReservedPart,
  RoleRecord,
  TaskRecord,
  TaskStatus,
  Volume as VolumeMessage,
} from "@muster/proto";
import { type Bound, noBound } from "../allocator/bound.ts";
import type { Agent, AgentStateName, Framework, Offer, Role, Task } from "./model.ts";
import { drainProgress } from "./operator/drain-progress.ts";
import type { Standing } from "./operator/standing.ts";
import { takenPorts } from "./ports.ts";
import type { Reservation, ReservedShare, Volume } from "./set-aside/model.ts";
import { plainOf } from "./set-aside/shares.ts";

const agentStates: Readonly<Record<AgentStateName, AgentState>> = {
  registered: 1,
  disconnected: 2,
  unreachable: 3,
  awaited: 5,
};

const standings: Readonly<Record<Standing["name"] | "active", AgentStanding>> = {
  active: 1,
  deactivated: 2,
  draining: 3,
  drained: 4,
};

export function agentRecord(agent: Agent): AgentRecord {
  return {
    agentId: agent.id,
    name: agent.name,
    address: agent.address,
    ip: agent.ip,
    state: agentStates[agent.state],
    total: agent.total,
    allocated: agent.allocated,
    offered: agent.offered,
    attributes: agent.attributes as AgentRecord["attributes"],
    portsTaken: takenPorts(agent).numbers as number[],
    portsInPart: takenPorts(agent).parts as PortPart[],
    registeredAt: agent.registeredAt,
    version: agent.version,
    drivers: agent.drivers as string[],
    unavailable: agent.unavailable as string[],
    taskCount: agent.tasks.size,
    networkModes: agent.networkModes as string[],
    standing: standings[agent.standing?.name ?? "active"],
    standingSince: agent.standing?.since ?? 0,
    drain: drainProgress(agent),
    maintenanceAt: agent.window?.startAt ?? 0,
    maintenanceMs: agent.window?.durationMs ?? 0,
    ...setAsideRecord(agent),
  };
}

function setAsideRecord({ setAside }: Agent): Pick<AgentRecord, "reservations" | "volumes" | "setAside"> {
  if (setAside === undefined) return { reservations: [], volumes: [], setAside: null };
  return {
    reservations: [...setAside.reservations.values()].map(reservationRecord),
    volumes: [...setAside.volumes.values()].map(volumeRecord),
    setAside: setAside.idle,
  };
}

export function reservationRecord(reservation: Reservation): ReservationMessage {
  const { id, role, resources, refined, labels, isStatic, principal } = reservation;
  return {
    reservationId: id,
    role: role.name,
    resources,
    refinedId: refined?.id ?? "",
    labels,
    isStatic,
    principal,
  };
}

export function volumeRecord({ id, reservation, diskMiB, holder }: Volume): VolumeMessage {
  const launchId = holder !== undefined && "launchId" in holder ? holder.launchId : "";
  return { volumeId: id, reservationId: reservation.id, diskMiB, launchId };
}

export function reservedPart({ reservation, resources }: ReservedShare): ReservedPart {
  return { reservationId: reservation.id, role: reservation.role.name, resources, labels: reservation.labels };
}

export function frameworkRecord(framework: Framework): FrameworkRecord {
  return {
    frameworkId: framework.id,
    name: framework.name,
    roles: framework.roles as string[],
    suppressedRoles: [...framework.suppressed],
    jobTypes: framework.jobTypes as string[],
    connected: framework.state === "connected",
    subscribedAt: framework.subscribedAt,
    disconnectedAt: framework.disconnectedAt,
    failoverTimeoutMs: framework.failoverTimeoutMs,
    allocated: framework.allocated,
    offered: resources(framework.offered),
    taskCount: framework.liveCount,
    offersSent: framework.offersSent,
    offersDeclined: framework.offersDeclined,
    offersAccepted: framework.offersAccepted,
    declinedInRow: framework.declinedInRow,
    demands: demandRecords(framework),
    version: framework.version,
  };
}

function demandRecords(framework: Framework): FrameworkRecord["demands"] {
  return [...(framework.demands?.values() ?? [])].flatMap((demands) =>
    [...demands.values()].map((demand) => {
      const { role, id, count, offeredCount, shape, priority } = demand;
      let awaitedRoomCount = 0;
      for (const hold of framework.holds) if (hold.demand === demand) awaitedRoomCount++;
      const record = { role, demandId: id, count, offeredCount, resources: shape };
      return {
        ...record,
        ...(priority === undefined ? {} : { priority }),
        ...(awaitedRoomCount === 0 ? {} : { awaitedRoomCount }),
      };
    }),
  );
}

/** Shares what the task holds: nothing in it is ever changed in place. */
export function taskRecord(task: Task, status: TaskStatus = task.status): TaskRecord {
  const { group } = task;
  return {
    taskId: task.id,
    name: task.name,
    frameworkId: group.framework.id,
    frameworkName: group.framework.name,
    agentId: group.agent.id,
    launchId: group.launchId,
    role: group.member.role.name,
    resources: task.resources,
    discovery: task.discovery,
    labels: task.labels,
    status,
    agentName: group.agent.name,
    agentIp: group.agent.ip,
    ...preemptionOf(group),
  };
}

function preemptionOf({ priority, budget, isPreemptible, preemptedFor }: Task["group"]): Partial<TaskRecord> {
  const record: Partial<TaskRecord> = {};
  if (priority !== undefined) record.priority = priority;
  if (budget) record.preemptionBudget = budget.name;
  if (budget || !isPreemptible) record.preemptedMax = budget?.max ?? 0;
  if (preemptedFor) record.preemptedForRole = preemptedFor.role;
  if (preemptedFor?.priority !== undefined) record.preemptedForPriority = preemptedFor.priority;
  return record;
}

export function offerRecord(offer: Offer): OfferRecord {
  return {
    offerId: offer.id,
    agentId: offer.agent.id,
    agentName: offer.agent.name,
    frameworkId: offer.framework.id,
    frameworkName: offer.framework.name,
    role: offer.role,
    resources: offer.resources,
    offeredAt: offer.made.epochMs,
    reserved: offer.reserved.map(reservedPart),
    volumeIds: offer.volumes.map(({ id }) => id),
  };
}

/** What a role's frameworks use is what they hold less what they are offered. */
export function roleRecord(role: Role): RoleRecord {
  const offered = offeredTo(role);
  const setAside = role.reservationCount === 0 ? null : subtractResources(role.held, heldByMembers(role));
  return {
    role: role.name,
    weightMillis: role.weightMillis,
    dominantShareMillionths: Math.round((role.share * role.weightMillis * 1_000_000) / 1_000),
    allocated: usedBy(role, offered),
    offered,
    setAside,
    frameworkIds: [...role.members.keys()].sort(),
    guarantee: role.quota === undefined || isEmptyResources(role.quota.guarantee) ? null : role.quota.guarantee,
    ...limitRecord(role.quota?.limit ?? noBound),
  };
}

/** A bound as the contract has it: 0 is no bound, and what is bounded by 0 is named. */
function limitRecord(limit: Bound): Pick<RoleRecord, "limit" | "limitedToNone"> {
  if (limit === noBound) return { limit: null, limitedToNone: [] };
  const limitedToNone: string[] = [];
  const tell = (name: string, most: number): number => {
    if (most === 0) limitedToNone.push(name);
    return Number.isFinite(most) ? most : 0;
  };
  const amounts = {
    cpuMillis: tell("cpu", limit.cpuMillis),
    memoryMiB: tell("memory", limit.memoryMiB),
    diskMiB: tell("disk", limit.diskMiB),
    portCount: tell("ports", limit.portCount),
    custom: { ...limit.custom },
  };
  for (const name in limit.custom) tell(name, limit.custom[name] ?? 0);
  return { limit: amounts, limitedToNone };
}

/** What tasks of a role and of those below it use. O(its offers), but for `offered`. */
export function usedBy(role: Role, offered = offeredTo(role)): Resources {
  return subtractResources(subtractResources(heldByMembers(role), offered), keptFor(role));
}

/** What is kept for a role and those below it until others have ended. O(their holds). */
function keptFor(role: Role): Resources {
  let kept = noResources;
  for (const { owner } of role.members.values())
    for (const hold of owner.holds) if (hold.demand.role === role.name) kept = addResources(kept, hold.resources);
  for (const child of role.children.values()) kept = addResources(kept, keptFor(child));
  return kept;
}

/** All that a role holds but what is set aside for it and idle. O(1) if nothing is set aside, else O(members below). */
function heldByMembers(role: Role): Resources {
  if (role.reservationCount === 0) return role.held;
  let held = noResources;
  for (const member of role.members.values()) held = addResources(held, member.held);
  for (const child of role.children.values()) held = addResources(held, heldByMembers(child));
  return held;
}

/** What counts against a role's limit but offers: what its tasks use and all that is set aside for it. O(its offers). */
export function consumedBy(role: Role): Resources {
  return subtractResources(role.held, offeredTo(role, plainOf));
}

/** What a role and those below it are offered. O(frameworks), and O(offers) of those that have several roles, or of all for a part. */
export function offeredTo(role: Role, amountOf?: (offer: Offer) => Resources): Resources {
  const offered = new ResourceSum();
  for (const { owner } of role.members.values()) {
    if (owner.offers.size === 0) continue;
    if (amountOf === undefined && owner.members.size === 1) offered.add(owner.offered);
    else
      for (const offer of owner.offers) if (offer.role === role.name) offered.add(amountOf?.(offer) ?? offer.resources);
  }
  for (const child of role.children.values()) offered.add(offeredTo(child, amountOf));
  return offered;
}
