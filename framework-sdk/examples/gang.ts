// Starts so many workers at one moment or not at all, wherever there is room for all of them, and ends when they have.
import { command, defineFramework, runFramework, taskStateName } from "@muster/framework-sdk";

const [size = "2", program = "sleep", ...args] = process.argv.slice(2);
const workerCount = Number(size);

const gang = defineFramework({
  name: "gang",
  durable: false,
  strategy: "claims",
  reconcile({ tasks, placeTogether, finish }) {
    const ended = tasks.ended();
    if (ended.length >= workerCount) {
      for (const { taskId, agentName, state, exitCode } of ended)
        console.log(`${taskId} on ${agentName}: ${taskStateName(state)}, exit code ${exitCode}`);
      if (ended.some(({ exitCode }) => exitCode !== 0)) process.exitCode = 1;
      return finish();
    }
    if (tasks.live().length + ended.length > 0) return undefined;
    return placeTogether(workerCount, {
      name: "worker",
      resources: { cpuMillis: 10, memoryMiB: 16 },
      run: command(program, args),
    });
  },
});

runFramework(gang);
