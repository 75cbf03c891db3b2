import {
  type AgentRejection,
  AgentStanding,
  isUsable,
  type Need,
  type Obstacle,
  type Room,
  sumUpRejections,
} from "@muster/framework-sdk";
import type { Surroundings } from "./report.ts";

/** Reasons of one group that an answer sums up, and agents that it names for each. */
const reasonsMax = 20;
const namesMax = 5;

/** The reasons of single agents summed up, with what would change them. O(agents). */
export function obstaclesOf(
  group: string,
  need: Need,
  rooms: Iterable<Room>,
  rejections: readonly AgentRejection[],
): Obstacle[] {
  const own = rejections.filter((one) => one.group === group);
  return sumUpRejections(need, rooms, own)
    .slice(0, reasonsMax)
    .map(({ agentNames, reason, remedy }) => anObstacle(group, agentNames, reason, remedy));
}

/** Agents that take nothing from anybody, by what keeps them from it. O(agents). */
export function unusableAgents(group: string, { agents }: Surroundings): Obstacle[] {
  const kinds = new Map<string, string[]>();
  for (const agent of agents.values()) {
    if (isUsable(agent)) continue;
    const isOut = agent.standing <= AgentStanding.AGENT_STANDING_ACTIVE;
    const kind = isOut ? "is out of reach" : "is deactivated, drained or given up by an operator";
    const names = kinds.get(kind);
    if (names) names.push(agent.name || agent.agentId);
    else kinds.set(kind, [agent.name || agent.agentId]);
  }
  return [...kinds].map(([kind, names]) =>
    anObstacle(group, names, kind, kind === "is out of reach" ? "look after its host" : "agent activate NAME"),
  );
}

function anObstacle(group: string, names: readonly string[], reason: string, remedy: string): Obstacle {
  return { group, agentCount: names.length, agentNames: names.slice(0, namesMax), reason, remedy };
}
