import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { table } from "../../output/table.ts";
import { findTask } from "./find.ts";

const mebibyte = 1024 * 1024;
const sources: Readonly<Record<string, string>> = {
  cgroup: "of the control group, without file cache",
  pss: "in fair shares of shared memory",
  rss: "with shared memory counted for each process",
};

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out, args, options } = invocation;
    const task = await findTask(client, args[0] ?? "", options.text("framework"));
    const { taskId, frameworkId, resources } = task;
    const use = await client.call("Tasks.Stats", message("StatsRequest", { taskId, frameworkId }));
    out.data({ task: taskId, agent: task.agentName, ...use, allocated: resources });
    const memory = `${(use.memoryBytes / mebibyte).toFixed(1)}/${resources?.memoryMiB ?? 0} MiB`;
    out.line(
      table(
        ["TASK", "AGENT", "CPU", "MEMORY", "PROCESSES"],
        [[taskId, task.agentName, `${use.cpuMillis}/${resources?.cpuMillis ?? 0}m`, memory, String(use.processCount)]],
      ),
    );
    const source = sources[use.memorySource] ?? use.memorySource;
    out.say(`cpu over the last ${(use.windowMs / 1_000).toFixed(1)} s, in thousandths of a core; memory ${source}`);
    return exitCode.done;
  });
