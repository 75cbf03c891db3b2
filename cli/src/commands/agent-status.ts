import { formatResources, noResources } from "@muster/foundation";
import { type AgentRecord, AgentStanding, AgentState, type Resources, TaskState } from "@muster/proto";
import type { CommandModule } from "../command.ts";
import { message, withClient } from "../connect/client.ts";
import { exitCode } from "../exit-codes.ts";
import { enumWord, stateText } from "../output/states.ts";
import type { Style } from "../output/style.ts";
import { table } from "../output/table.ts";
import { rfc3339, spanText, timeText } from "../output/times.ts";
import { type Ability, abilitiesOf } from "./agent-abilities.ts";
import { agentJson } from "./agent-list.ts";
import { progressText } from "./operate/drain-wait.ts";
import { findAgent } from "./operate/find.ts";
import { taskJson } from "./task-list.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out } = invocation;
    const agent = await findAgent(client, invocation.args[0] ?? "");
    const { tasks } = await client.call("Tasks.List", message("TasksListRequest", { agent: agent.agentId }));
    out.data({ ...agentJson(agent), abilities: abilitiesOf(agent), taskList: tasks.map(taskJson) });
    const state = enumWord(AgentState, agent.state, "AGENT_STATE_");
    const since = timeText(agent.registeredAt, Date.now(), out.isTerminal);
    out.line(
      `${out.style.paint("bold", agent.name)}  ${agent.agentId}  ${stateText(state, out.style)}  since ${since}`,
    );
    if (agent.standingSince > 0) out.line(`standing   ${standingText(agent)}`);
    if (agent.maintenanceAt > 0) {
      const text = `${rfc3339(agent.maintenanceAt)} for ${spanText(agent.maintenanceMs)}`;
      out.line(`maintained ${text}`);
    }
    out.line(`address    ${agent.address}, tasks at ${agent.ip}`);
    out.line(`version    ${agent.version}`);
    for (const { name, value } of agent.attributes) out.line(`attribute  ${name} = ${value}`);
    out.line(`\n${resourceTable(agent)}`);
    if (agent.reservations.length > 0) out.line(`\n${reservationTable(agent)}`);
    out.line(`\n${abilityTable(abilitiesOf(agent), out.style)}`);
    if (tasks.length > 0) {
      out.line();
      out.line(
        table(
          ["TASK", "STATE", "FRAMEWORK"],
          tasks.map((task) => [
            task.taskId,
            stateText(enumWord(TaskState, task.status?.state ?? 0, "TASK_"), out.style),
            task.frameworkName,
          ]),
        ),
      );
    }
    out.next(`muster task list --agent ${agent.name}`);
    return exitCode.done;
  });

function standingText(agent: AgentRecord): string {
  const word = enumWord(AgentStanding, agent.standing, "AGENT_STANDING_");
  return `${word} since ${rfc3339(agent.standingSince)}${agent.drain ? `; ${progressText(agent.name, agent)}` : ""}`;
}

function reservationTable({ reservations, volumes }: AgentRecord): string {
  return table(
    ["ROLE", "RESERVED", "VOLUMES", "ID"],
    reservations.map(({ role, resources, reservationId }) => [
      role,
      formatResources(resources ?? noResources),
      volumes
        .filter((volume) => volume.reservationId === reservationId)
        .map(({ volumeId, diskMiB }) => `${volumeId} (${diskMiB} MiB)`)
        .join(", ") || "-",
      reservationId,
    ]),
  );
}

function resourceTable({ total, allocated, offered, setAside }: AgentRecord): string {
  const row = (name: string, amount: (resources: Resources) => number): string[] => {
    const amounts = [total, allocated, offered, setAside].map((each) => (each ? amount(each) : 0));
    const [all = 0, used = 0, shown = 0, kept = 0] = amounts;
    return [name, ...amounts.map(String), String(all - used - shown - kept)];
  };
  const custom = Object.keys(total?.custom ?? {});
  return table(
    ["RESOURCE", "TOTAL", "ALLOCATED", "OFFERED", "RESERVED", "FREE"],
    [
      row("cpu (thousandths)", ({ cpuMillis }) => cpuMillis),
      row("memory (MiB)", ({ memoryMiB }) => memoryMiB),
      row("disk (MiB)", ({ diskMiB }) => diskMiB),
      row("ports", ({ portCount }) => portCount),
      ...custom.map((name) => row(name, (resources) => Number(resources.custom[name] ?? 0))),
    ],
  );
}

function abilityTable(abilities: readonly Ability[], style: Style): string {
  return table(
    ["KIND", "NAME", "STATE", "WHY NOT", "MENDED BY"],
    abilities.map(({ kind, name, works, reason, mend }) => [
      kind,
      name,
      works ? style.paint("green", "✔ works") : style.paint("yellow", "- missing"),
      reason || "-",
      mend || "-",
    ]),
  );
}
