import { formatResources, noResources, priorityClassOf } from "@muster/foundation";
import { Health, StatusReason, type TaskRecord, TaskState } from "@muster/proto";
import type { CommandModule } from "../../command.ts";
import { withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { enumWord, stateText } from "../../output/states.ts";
import { timeText } from "../../output/times.ts";
import { taskJson } from "../task-list.ts";
import { findTask } from "./find.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out, args, options } = invocation;
    const task = await findTask(client, args[0] ?? "", options.text("framework"));
    const { status } = task;
    const reason = enumWord(StatusReason, status?.reason ?? 0, "REASON_");
    out.data({ ...taskJson(task), reason: status?.reason ? reason : null });
    const state = stateText(enumWord(TaskState, status?.state ?? 0, "TASK_"), out.style);
    const since = timeText(status?.at ?? 0, Date.now(), out.isTerminal);
    out.line(`${out.style.paint("bold", task.taskId)}  ${state}  since ${since}`);
    const rows: [string, string][] = [
      ["name", task.name],
      ["framework", `${task.frameworkName}, role ${task.role}`],
      ["agent", `${task.agentName} at ${task.agentIp}`],
      ["priority", task.priority === undefined ? "" : `${task.priority} (${priorityClassOf(task.priority)})`],
      ["budget", budgetText(task)],
      ["resources", formatResources(task.resources ?? noResources)],
      ["health", status?.health ? enumWord(Health, status.health, "HEALTH_") : ""],
      ["process", status?.container?.pid ? `pid ${status.container.pid}` : ""],
      ["exit code", status?.exitCode === undefined ? "" : String(status.exitCode)],
      ["reason", status?.reason ? reason : ""],
      ["message", status?.message ?? ""],
    ];
    for (const { label, number } of status?.container?.ports ?? [])
      rows.push([`port ${label}`, `${task.agentIp}:${number}`]);
    for (const [name, value] of Object.entries(task.labels)) rows.push(["label", `${name} = ${value}`]);
    for (const [name, value] of rows) if (value !== "") out.line(`${name.padEnd(10)} ${value}`);
    out.next(`muster task logs ${task.taskId}`);
    return exitCode.done;
  });

/** What keeps it from being preempted; empty: nothing but its priority. */
function budgetText({ preemptionBudget, preemptedMax }: TaskRecord): string {
  if (preemptedMax === 0) return "never preempted";
  return preemptionBudget === undefined ? "" : `at most ${preemptedMax ?? 1} of ${preemptionBudget} preempted at once`;
}
