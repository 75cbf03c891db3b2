// A custom executor for tests: what a task does is written in its data.
import { runExecutor } from "@muster/framework-sdk/executor";

if (process.argv.includes("silent")) setInterval(() => {}, 1_000);
else {
  const executor = runExecutor({
    launch(task) {
      const { runMs, end = "finished", health, dies } = task.data ?? {};
      if (dies) process.exit(7);
      task.running({ message: `in process ${process.pid}`, ...(health ? { health } : {}) });
      if (runMs !== undefined) setTimeout(() => task[end]({ exitCode: end === "finished" ? 0 : 3 }), runMs);
    },
    kill(task, graceMs) {
      if (!task.data?.deaf) task.killed({ message: `with a grace of ${graceMs} ms` });
    },
    message(data) {
      executor.send(`heard ${Buffer.from(data)}`);
    },
  });
}
