import { type JobInstance, type JobStatus, TaskState } from "@muster/proto";
import { CliError } from "../../cli-error.ts";
import type { Client } from "../../connect/client.ts";
import { message } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { groupsOfSeveral, groupsWithChecks, instanceName, isHealthy, summaryOf } from "./describe.ts";

/** The instances that are meant by a job and `--instance`, with a task; else an error that says what there is. */
export function chooseInstances(job: JobStatus, wanted: string | undefined): JobInstance[] {
  const withTask = job.instances.filter((instance) => instance.taskId !== "");
  const { name } = summaryOf(job);
  if (wanted === undefined) return withTask;
  const several = groupsOfSeveral(job);
  const chosen = withTask.filter((instance) =>
    [instance.instance, instance.taskId, String(instance.index), instanceName(instance, several)].includes(wanted),
  );
  if (chosen.length > 0) return chosen;
  const there = withTask.map((instance) => instanceName(instance, several)).join(", ") || "none";
  throw new CliError(exitCode.failed, `${name} has no instance ${wanted}; it has ${there}`, {
    kind: "not-found",
    hint: `muster job status ${name}`,
  });
}

/** The first healthy running instance, else the first that runs. */
export function firstRunning(job: JobStatus, instances: readonly JobInstance[]): JobInstance {
  const checks = groupsWithChecks(job.definition);
  const running = instances.filter((instance) => instance.state === TaskState.TASK_RUNNING);
  const chosen = running.find((instance) => isHealthy(instance, checks.has(instance.group))) ?? running[0];
  if (chosen) return chosen;
  const { name } = summaryOf(job);
  throw new CliError(exitCode.failed, `no instance of ${name} runs`, {
    kind: "wrong-state",
    hint: `muster job status ${name}`,
  });
}

/** The framework that a task belongs to: names of tasks are unique within their framework alone. */
export async function frameworkOf(client: Client, taskId: string): Promise<string> {
  const { tasks } = await client.call(
    "Tasks.List",
    message("TasksListRequest", { prefix: taskId, includeTerminal: true }),
  );
  return tasks.find((task) => task.taskId === taskId)?.frameworkId ?? "";
}
