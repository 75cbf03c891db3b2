import { isTerminal } from "@muster/foundation";
import type { AssignedPort } from "@muster/proto";
import { partGiven, partsOverlap } from "../core/ports.ts";
import { type Checker, type Violation, violation } from "./view.ts";

interface Holding {
  readonly launchId: string;
  readonly taskId: string;
  readonly port: AssignedPort;
}

/**
 * No host port of an agent belongs to two launches whose tasks have not ended, but for two protocols or on two addresses.
 * Tasks of one group share theirs. O(ports x parts of a port).
 */
export const noPortTwice: Checker = ({ tasks }) => {
  const holders = new Map<string, Holding[]>();
  const violations: Violation[] = [];
  for (const { agentId, taskId, launchId, status } of tasks) {
    if (status === null || isTerminal(status.state)) continue;
    for (const port of status.container?.ports ?? []) {
      const { number } = port;
      // On an address of the group's own.
      if (number === 0) continue;
      const place = `${agentId}:${number}`;
      const others = holders.get(place) ?? [];
      const holder = others.find(
        (other) => other.launchId !== launchId && partsOverlap(partGiven(other.port), partGiven(port)),
      );
      if (holder !== undefined)
        violations.push(violation("port-twice", agentId, `port ${number}: ${holder.taskId} and ${taskId}`));
      holders.set(place, [...others, { launchId, taskId, port }]);
    }
  }
  return violations;
};
