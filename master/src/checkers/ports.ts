import { isTerminal } from "@muster/foundation";
import { type Checker, type Violation, violation } from "./view.ts";

/** No host port of an agent belongs to two launches whose tasks have not ended. Tasks of one group share theirs. */
export const noPortTwice: Checker = ({ tasks }) => {
  const holders = new Map<string, { launchId: string; taskId: string }>();
  const violations: Violation[] = [];
  for (const { agentId, taskId, launchId, status } of tasks) {
    if (status === null || isTerminal(status.state)) continue;
    for (const { number } of status.container?.ports ?? []) {
      const place = `${agentId}:${number}`;
      const holder = holders.get(place);
      if (holder !== undefined && holder.launchId !== launchId)
        violations.push(violation("port-twice", agentId, `port ${number}: ${holder.taskId} and ${taskId}`));
      holders.set(place, { launchId, taskId });
    }
  }
  return violations;
};
