import { type AgentRecord, AgentStanding, AgentState } from "@muster/proto";
import type { CommandModule } from "../command.ts";
import { message, withClient } from "../connect/client.ts";
import { exitCode } from "../exit-codes.ts";
import { enumWord, stateText } from "../output/states.ts";
import { table } from "../output/table.ts";
import { rfc3339 } from "../output/times.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out } = invocation;
    const { agents } = await client.call("Operator.ListAgents", message("ListAgentsRequest"));
    out.data(agents.map(agentJson));
    if (agents.length === 0) out.line("no agents");
    else
      out.line(
        table(
          ["NAME", "STATE", "CPU", "MEMORY", "DISK", "PORTS", "TASKS", "ADDRESS", "ID"],
          agents.map((agent) => [
            agent.name,
            stateText(standingWord(agent), out.style),
            share(agent, "cpuMillis", (value) => String(value / 1_000)),
            share(agent, "memoryMiB", (value) => `${value}`, " MiB"),
            share(agent, "diskMiB", (value) => `${value}`, " MiB"),
            share(agent, "portCount", (value) => `${value}`),
            String(agent.taskCount),
            agent.address,
            agent.agentId,
          ]),
        ),
      );
    out.next(agents[0] ? `muster agent status ${agents[0].name}` : "muster dev");
    return exitCode.done;
  });

/** What an operator has decided about an agent that is here says more than that it is here. */
function standingWord({ state, standing }: AgentRecord): string {
  const isDecided = standing > AgentStanding.AGENT_STANDING_ACTIVE;
  return isDecided && state === AgentState.AGENT_STATE_REGISTERED
    ? enumWord(AgentStanding, standing, "AGENT_STANDING_")
    : enumWord(AgentState, state, "AGENT_STATE_");
}

type Amount = "cpuMillis" | "memoryMiB" | "diskMiB" | "portCount";

function share(agent: AgentRecord, name: Amount, text: (value: number) => string, unit = ""): string {
  return `${text(agent.allocated?.[name] ?? 0)}/${text(agent.total?.[name] ?? 0)}${unit}`;
}

export function agentJson(agent: AgentRecord) {
  return {
    id: agent.agentId,
    name: agent.name,
    state: enumWord(AgentState, agent.state, "AGENT_STATE_"),
    standing: enumWord(AgentStanding, agent.standing, "AGENT_STANDING_"),
    standingSince: rfc3339(agent.standingSince),
    drain: agent.drain,
    maintenanceAt: rfc3339(agent.maintenanceAt),
    address: agent.address,
    ip: agent.ip,
    version: agent.version,
    total: agent.total,
    allocated: agent.allocated,
    offered: agent.offered,
    setAside: agent.setAside,
    reservations: agent.reservations,
    volumes: agent.volumes,
    tasks: agent.taskCount,
    attributes: Object.fromEntries(agent.attributes.map(({ name, value }) => [name, value])),
    drivers: agent.drivers,
    networkModes: agent.networkModes,
    unavailable: agent.unavailable,
    portsTaken: agent.portsTaken,
    registeredAt: rfc3339(agent.registeredAt),
  };
}
