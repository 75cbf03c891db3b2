import type { Agent } from "./model.ts";

/** Every port of the agent that is known to be taken, in order. Made anew only after a change. */
export function takenPorts(agent: Agent): readonly number[] {
  if (agent.portsTaken === undefined) {
    const numbers = new Set([...agent.ports.keys(), ...agent.foreignPorts]);
    agent.portsTaken = [...numbers].sort((a, b) => a - b);
  }
  return agent.portsTaken;
}
