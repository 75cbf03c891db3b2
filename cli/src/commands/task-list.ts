import { Health, type TaskRecord, TaskState } from "@muster/proto";
import type { CommandModule } from "../command.ts";
import { message, withClient } from "../connect/client.ts";
import { exitCode } from "../exit-codes.ts";
import { enumName, enumWord, stateText } from "../output/states.ts";
import { table } from "../output/table.ts";
import { rfc3339, timeText } from "../output/times.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out, options } = invocation;
    const { tasks } = await client.call(
      "Tasks.List",
      message("TasksListRequest", {
        framework: options.text("framework") ?? "",
        agent: options.text("agent") ?? "",
        includeTerminal: options.flag("all"),
      }),
    );
    out.data(tasks.map(taskJson));
    const nowMs = Date.now();
    if (tasks.length === 0) out.line("no tasks");
    else
      out.line(
        table(
          ["TASK", "STATE", "HEALTH", "FRAMEWORK", "PRIORITY", "AGENT", "ADDRESSES", "SINCE", "MESSAGE"],
          tasks.map((task) => [
            task.taskId,
            stateText(enumWord(TaskState, task.status?.state ?? 0, "TASK_"), out.style),
            enumWord(Health, task.status?.health ?? 0, "HEALTH_").replace("unspecified", "-"),
            task.frameworkName,
            task.priority === undefined ? "-" : String(task.priority),
            task.agentName,
            portsOf(task)
              .map(({ label, number }) => `${label}=${task.agentIp}:${number}`)
              .join(" ") || "-",
            timeText(task.status?.at ?? 0, nowMs, out.isTerminal),
            task.status?.message || "-",
          ]),
        ),
      );
    out.next("muster job list");
    return exitCode.done;
  });

function portsOf(task: TaskRecord) {
  return task.status?.container?.ports ?? [];
}

export function taskJson(task: TaskRecord) {
  const { status } = task;
  return {
    id: task.taskId,
    name: task.name,
    framework: task.frameworkName,
    agent: task.agentName,
    role: task.role,
    state: enumName(TaskState, status?.state ?? 0),
    health: enumWord(Health, status?.health ?? 0, "HEALTH_").replace("unspecified", "unknown"),
    pid: status?.container?.pid ?? 0,
    ip: task.agentIp,
    ports: Object.fromEntries(portsOf(task).map(({ label, number }) => [label, number])),
    exitCode: status?.exitCode ?? null,
    message: status?.message ?? "",
    at: rfc3339(status?.at ?? 0),
    labels: task.labels,
    resources: task.resources,
    priority: task.priority ?? null,
    preemptedFor: task.preemptedForRole ?? null,
  };
}
