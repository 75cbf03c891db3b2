import { type TaskRecord, TaskState } from "@muster/proto";
import { CliError } from "../../cli-error.ts";
import { type Client, message } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { uniquePrefix } from "../job/find.ts";

const living: ReadonlySet<TaskState> = new Set([
  TaskState.TASK_STAGING,
  TaskState.TASK_STARTING,
  TaskState.TASK_RUNNING,
  TaskState.TASK_KILLING,
  TaskState.TASK_UNREACHABLE,
]);

/** Whether a task has not ended, as far as the master knows. */
export function isLiving(task: TaskRecord): boolean {
  return living.has(task.status?.state ?? TaskState.TASK_STAGING);
}

/**
 * The task of that id, or the only one whose id begins so; the living go before those that have ended lately. Two
 * frameworks may each have a task of one id: then `framework` says which is meant, by id or name.
 */
export async function findTask(client: Client, given: string, framework = ""): Promise<TaskRecord> {
  const ask = async (prefix: string): Promise<TaskRecord[]> => {
    const request = message("TasksListRequest", { prefix, framework, includeTerminal: true });
    return (await client.call("Tasks.List", request)).tasks;
  };
  const matches = await ask(given);
  const exact = matches.filter(({ taskId }) => taskId === given);
  const candidates = exact.length > 0 ? exact : matches;
  const alive = candidates.filter(isLiving);
  const [only, second] = alive.length > 0 ? alive : candidates;
  if (only && !second) return only;
  if (exact.length > 1)
    throw new CliError(
      exitCode.failed,
      `several frameworks have a task ${given}: ${exact.map(({ frameworkName }) => frameworkName).join(", ")}`,
      { kind: "ambiguous", hint: "--framework NAME" },
    );
  // Says which there are, or what was probably meant.
  const names = (candidates.length > 0 ? candidates : await ask("")).map(({ taskId }) => taskId);
  const found = uniquePrefix("task", given, names, "muster task list --all");
  throw new CliError(exitCode.failed, `task ${found} left while it was looked up`);
}
