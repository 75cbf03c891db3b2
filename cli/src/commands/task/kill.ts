import { CliError } from "../../cli-error.ts";
import type { CommandModule } from "../../command.ts";
import { confirmed } from "../../connect/ask.ts";
import { type Client, message, withClient } from "../../connect/client.ts";
import { deadline, onInterrupt } from "../../connect/interrupt.ts";
import { exitCode } from "../../exit-codes.ts";
import { findTask, isLiving } from "./find.ts";

/** Between two looks at a task that is ending. */
const lookEveryMs = 200;

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out, args, options } = invocation;
    const task = await findTask(client, args[0] ?? "", options.text("framework"));
    const { taskId, frameworkId, frameworkName } = task;
    if (!isLiving(task))
      throw new CliError(exitCode.failed, `task ${taskId} has ended already`, {
        kind: "wrong-state",
        hint: `muster task status ${taskId}`,
      });
    const graceMs = options.durationMs("grace");
    const timeoutMs = options.durationMs("timeout");
    if (!(await confirmed(invocation, `this ends task ${taskId}; ${frameworkName} decides whether another follows`))) {
      out.say("nothing was done");
      return exitCode.failed;
    }
    const request = message("KillRequest", { taskId, frameworkId, ...(graceMs === undefined ? {} : { graceMs }) });
    await client.call("Tasks.Kill", request);
    const outcome = options.flag("detach") ? "detached" : await untilEnded(client, taskId, frameworkId, timeoutMs);
    out.data({ task: taskId, framework: frameworkName, outcome });
    if (outcome === "ended") out.line(`task ${taskId} has ended`);
    else out.say(`task ${taskId} is ending`);
    out.next(`muster task status ${taskId}`);
    return {
      ended: exitCode.done,
      detached: exitCode.done,
      timeout: exitCode.timeout,
      interrupted: exitCode.interrupted,
    }[outcome];
  });

async function untilEnded(
  client: Client,
  taskId: string,
  frameworkId: string,
  timeoutMs: number | undefined,
): Promise<"ended" | "timeout" | "interrupted"> {
  const interrupt = onInterrupt();
  const limit = deadline(timeoutMs);
  try {
    for (;;) {
      const { tasks } = await client.call(
        "Tasks.List",
        message("TasksListRequest", { prefix: taskId, framework: frameworkId }),
      );
      if (!tasks.some((task) => task.taskId === taskId)) return "ended";
      const pause = new Promise<"pause">((resolve) => setTimeout(() => resolve("pause"), lookEveryMs));
      const next = await Promise.race([pause, limit.passed, interrupt.interrupted]);
      if (next !== "pause") return next;
    }
  } finally {
    limit.release();
    interrupt.release();
  }
}
