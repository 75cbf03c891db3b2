import { resources } from "@muster/foundation";
import type { ForeseenRoom, ForeseeRoomRequest, ForeseeRoomResponse } from "@muster/proto";
import type { Core } from "../core.ts";
import { Demand } from "../demand-shapes.ts";
import type { Framework, Group } from "../model.ts";
import { roomsFor } from "./look.ts";

/** Instances for which one question foresees who would be ended. */
export const instancesForeseenMax = 1_000;

const nobody = (reason: string): ForeseeRoomResponse => ({ rooms: [], reason });

/**
 * Who would be ended for what finds no room, if it waited and everything stayed as it is: by the same choice as for a
 * demand that waits, on another agent for each instance. Nothing is ended and nothing kept. O(agents + groups of the
 * agents that are looked at x depth), at most `limits.groupsPerLook` groups.
 */
export function foreseeRoom(core: Core, request: ForeseeRoomRequest): ForeseeRoomResponse {
  const { jobType, role, priority, count, agentIds } = request;
  const { allocator, awaited } = core.state;
  const framework = ownerOf(core, jobType);
  const member = framework?.members.get(role);
  if (framework === undefined || member === undefined)
    return nobody(`no framework runs ${jobType} jobs in role ${role}`);
  if (!allocator.hasGuarantees || !member.role.isPromised) return nobody(`role ${role} has no guarantee`);
  if (awaited.size > 0) return nobody("agents are awaited: what they have is not known");
  const demand = new Demand("", role, resources(request.resources), [], count);
  demand.priority = priority;
  demand.isWhole = true;
  demand.places = agentIds.length === 0 ? undefined : new Set(agentIds);
  const { rooms, reason } = roomsFor(core, { framework, member, demand }, count);
  return { rooms: rooms.map(({ agent, groups }) => roomOf(agent, groups)), reason };
}

function ownerOf(core: Core, jobType: string): Framework | undefined {
  for (const framework of core.state.frameworks.values())
    if (framework.state === "connected" && framework.jobTypes.includes(jobType)) return framework;
  return undefined;
}

function roomOf({ id, name, tasks }: Group["agent"], groups: readonly Group[]): ForeseenRoom {
  const ending = new Set(groups);
  const ends = [...tasks].filter(({ group }) => ending.has(group));
  return {
    agentId: id,
    agentName: name,
    ends: ends.map(({ id: taskId, labels, group }) => ({
      taskId,
      job: labels["job"] ?? "",
      role: group.member.role.name,
    })),
  };
}
