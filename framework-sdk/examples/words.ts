// Has each of its words said by a task of its own, all of an agent's in one process: words-executor.js beside this file.
import { fileURLToPath } from "node:url";
import { command, defineFramework, runFramework } from "@muster/framework-sdk";

const words = process.argv.slice(2);
const program = fileURLToPath(new URL("words-executor.js", import.meta.url));
const said = new Map<string, string>();

const executor = {
  id: "words-executor",
  resources: { cpuMillis: 50, memoryMiB: 64 },
  run: command(process.execPath, [program]),
  idleTimeoutMs: 2_000,
};

const framework = defineFramework({
  name: "words",
  durable: false,
  executorMessage(_agentId, _executorId, data) {
    console.log(`heard: ${Buffer.from(data)}`);
  },
  reconcile({ tasks, place, finish }) {
    for (const task of tasks.ended())
      if (task.name.startsWith("word-") && task.message) said.set(task.name, task.message);
    if (said.size === words.length) {
      console.log(words.map((_, index) => said.get(`word-${index}`)).join(" "));
      return finish();
    }
    const busy = new Set(tasks.live().map(({ name }) => name));
    return words.map((word, index) => {
      const name = `word-${index}`;
      if (said.has(name) || busy.has(name)) return undefined;
      return place(1, { name, executor, data: { word, afterMs: 100 }, resources: { cpuMillis: 1, memoryMiB: 1 } });
    });
  },
});

runFramework(framework);
