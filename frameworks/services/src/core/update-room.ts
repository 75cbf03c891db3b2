import { addResources, Matcher, MusterError, noResources, type Room, subtractResources } from "@muster/framework-sdk";
import type { TaskGroup } from "@muster/jobspecs";
import { agentsOf } from "./launching.ts";
import type { JobEntry, JobVersionEntry } from "./model.ts";
import { rooms, type Surroundings } from "./report.ts";
import { isSticky } from "./sticky.ts";
import { isBound } from "./volumes.ts";

/** Agents whose reasons an answer gives. */
const reasonsMax = 5;

/**
 * Refuses a version whose update could never begin: it must keep all instances that there are, and no agent could ever take
 * another beside them. What other jobs use does not count, for they may leave. Throws `wrong-state` with the numbers.
 * O(groups × agents).
 */
export function refuseStuckUpdate(present: JobEntry | undefined, wanted: JobVersionEntry, around: Surroundings): void {
  if (present === undefined || present.isStopped || !around.isKnown || wanted.job.type !== "service") return;
  for (const group of wanted.job.groups) {
    const reason = problemOf(present, wanted, group, around);
    if (reason !== undefined) throw new MusterError("wrong-state", reason, { field: "job.definition.groups" });
  }
}

function problemOf(
  present: JobEntry,
  wanted: JobVersionEntry,
  group: TaskGroup,
  around: Surroundings,
): string | undefined {
  const { method } = group.update;
  const need = wanted.needs.get(group.name);
  // Of what has volumes or sticky disks one ends before its successor starts, whatever the method says.
  if (isBound(present, group) || isSticky(group)) return undefined;
  if (method.kind !== "surge" || !method.isStrict || need === undefined) return undefined;
  const healthyMin = Math.ceil((group.count * method.minHealthyPercent) / 100);
  const served = [...present.instances.values()].filter(
    (one) => one.group === group.name && one.healthySinceMs !== undefined && !one.isKilling,
  ).length;
  const isReplaced = present.current.templates.get(group.name) !== wanted.templates.get(group.name);
  if (!isReplaced || served === 0 || served > healthyMin) return undefined;
  const future = { ...present, current: wanted };
  const slot = { index: 0, agentId: undefined };
  const want = { entry: future, version: wanted, group, slot, need, role: "", sinceMs: 0 };
  const found = new Matcher(ownRooms(present, around), around.random);
  const answer = found.place(need, found.occupants(agentsOf(want)));
  if ("placed" in answer) return undefined;
  const reasons = answer.rejections.slice(0, reasonsMax).map(({ agentName, reason }) => `${agentName}: ${reason}`);
  return (
    `group ${group.name} can't be updated: ${healthyMin} of ${group.count} instances must stay healthy ` +
    `(min_healthy_percent = ${method.minHealthyPercent}), ${served} are, and none of ${around.agents.size} agents could take ` +
    `another beside them: ${reasons.join("; ")}. Lower min_healthy_percent, or add an agent`
  );
}

/** Agents as if this job alone were there. */
function ownRooms(present: JobEntry, { agents }: Surroundings): Room[] {
  return rooms(agents).map((room) => {
    let used = noResources;
    for (const instance of present.instances.values()) {
      const need = present.current.needs.get(instance.group);
      if (instance.agentId === room.agentId && need) used = addResources(used, need.resources);
    }
    return { ...room, available: subtractResources(agents.get(room.agentId)?.total ?? room.available, used) };
  });
}
