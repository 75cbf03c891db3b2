// Runs one command on every agent of the cluster, says how it went, and ends.
import { command, defineFramework, type FrameworkTask, runFramework, taskStateName } from "@muster/framework-sdk";

const [program = "uname", ...args] = process.argv.slice(2);

/** How it ended there: the last word of an agent counts. */
const results = new Map<string, FrameworkTask>();

const onEveryAgent = defineFramework({
  name: "on-every-agent",
  durable: false,
  reconcile({ agents, tasks, place, finish }) {
    for (const task of tasks.ended()) if (task.exitCode !== undefined) results.set(task.agentId, task);
    const busy = new Set(tasks.live().map((task) => task.agentId));
    const waiting = agents.filter(({ agentId }) => !results.has(agentId));
    if (agents.length > 0 && waiting.length === 0) {
      for (const { agentId, name } of agents) {
        const task = results.get(agentId);
        if (task) console.log(`${name}: ${taskStateName(task.state)}, exit code ${task.exitCode}`);
        if (task?.exitCode !== 0) process.exitCode = 1;
      }
      console.log(`${program} ran on ${agents.length} agent${agents.length === 1 ? "" : "s"}`);
      return finish();
    }
    return waiting
      .filter(({ agentId }) => !busy.has(agentId))
      .map(({ agentId }) =>
        place(1, {
          name: "once",
          agentId,
          resources: { cpuMillis: 10, memoryMiB: 16 },
          run: command(program, args),
        }),
      );
  },
});

runFramework(onEveryAgent);
