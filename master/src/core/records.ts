import { addResources, noResources, subtractResources } from "@muster/foundation";
import type {
  AgentRecord,
  AgentState,
  FrameworkRecord,
  OfferRecord,
  RoleRecord,
  TaskRecord,
  TaskStatus,
} from "@muster/proto";
import type { Role } from "../allocator/allocator.ts";
import type { Agent, AgentStateName, Framework, Offer, Task } from "./model.ts";
import { takenPorts } from "./ports.ts";

const agentStates: Readonly<Record<AgentStateName, AgentState>> = {
  registered: 1,
  disconnected: 2,
  unreachable: 3,
  awaited: 5,
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
    portsTaken: takenPorts(agent) as number[],
    registeredAt: agent.registeredAt,
    version: agent.version,
    drivers: agent.drivers as string[],
    unavailable: agent.unavailable as string[],
    taskCount: agent.tasks.size,
    networkModes: agent.networkModes as string[],
  };
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
    offered: framework.offered,
    taskCount: framework.liveCount,
    offersSent: framework.offersSent,
    offersDeclined: framework.offersDeclined,
    version: framework.version,
  };
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
  };
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
    offeredAt: offer.offeredAt,
  };
}

/** What a role's frameworks use is what it holds less what it is offered. */
export function roleRecord(role: Role, frameworks: ReadonlyMap<string, Framework>): RoleRecord {
  let offered = noResources;
  for (const id of role.members.keys())
    for (const offer of frameworks.get(id)?.offers ?? [])
      if (offer.role === role.name) offered = addResources(offered, offer.resources);
  return {
    role: role.name,
    weightMillis: role.weightMillis,
    dominantShareMillionths: Math.round((role.share * role.weightMillis * 1_000_000) / 1_000),
    allocated: subtractResources(role.held, offered),
    offered,
    frameworkIds: [...role.members.keys()].sort(),
  };
}
