// An executor: says the words of its tasks, all in one process. words.ts starts it.
import { runExecutor } from "@muster/framework-sdk/executor";

const timers = new Map<string, NodeJS.Timeout>();
let count = 0;

const executor = runExecutor({
  launch(task) {
    const { word, afterMs } = task.data as { word: string; afterMs: number };
    task.running({ message: `waits in process ${process.pid}` });
    const say = () => {
      task.finished({ message: word });
      executor.send(`${++count} words from process ${process.pid}`);
    };
    timers.set(task.taskId, setTimeout(say, afterMs));
  },
  kill(task) {
    clearTimeout(timers.get(task.taskId));
    task.killed();
  },
});
