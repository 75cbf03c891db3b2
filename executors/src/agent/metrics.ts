import type { Metrics } from "@muster/foundation";
import type { AgentState } from "./core/model.ts";

/** An agent's figures. Their names are listed in the package's README. */
export interface AgentMetrics {
  /** O(tasks); once a tick. */
  observe(state: AgentState): void;
  launched(): void;
  committed(durationMs: number): void;
}

const commitSecondsBuckets = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10];

/** Without a registry nothing is counted. */
export function agentMetrics(metrics: Metrics | undefined): AgentMetrics {
  if (!metrics) return { observe: () => {}, launched: () => {}, committed: () => {} };
  const living = metrics.gauge("tasks_living", "Tasks that have not ended");
  const waiting = metrics.gauge("statuses_waiting", "Statuses that no framework has acknowledged");
  const ports = metrics.gauge("ports_held", "Host ports that tasks hold");
  const launches = metrics.counter("launches_total", "Launches that came");
  const commits = metrics.histogram("commit_seconds", "Time to make records durable", commitSecondsBuckets);
  return {
    observe: (state) => {
      let livingCount = 0;
      let waitingCount = 0;
      for (const task of state.tasks.values()) {
        if (task.phase !== "ended") livingCount++;
        waitingCount += task.queue.length;
      }
      living.set(livingCount);
      waiting.set(waitingCount);
      ports.set(state.ports.held.size);
    },
    launched: () => launches.inc(),
    committed: (durationMs) => commits.observe(durationMs / 1_000),
  };
}
