import type { Log } from "@muster/foundation";
import { createExecutor, type ExecutorTask } from "@muster/framework-sdk/executor";
import { behaviourOf, type HostProcess } from "./host-processes.ts";
import type { Life } from "./life.ts";
import type { Network } from "./network.ts";
import type { World } from "./world.ts";

/** A task that a custom executor has. */
export interface ServedStart {
  readonly taskId: string;
  readonly launchId: string;
}

/**
 * The custom executors of one host: each is the SDK's, in a life that begins and ends with its command. What a task of it
 * does is written in its arguments, as what a command does.
 */
export class HostExecutors {
  /** Told of each task that an executor begins. */
  onStart: (start: ServedStart) => void = () => {};
  readonly #world: World;
  readonly #network: Network;
  readonly #host: string;
  readonly #log: Log;
  readonly #lives = new Map<Life, Map<string, ServedStart>>();

  constructor(world: World, network: Network, host: string, log: Log) {
    this.#world = world;
    this.#network = network;
    this.#host = host;
    this.#log = log;
  }

  /** Tasks that executors have now. */
  alive(): ServedStart[] {
    return [...this.#lives.values()].flatMap((tasks) => [...tasks.values()]);
  }

  /** Begins the life of an executor; `exit` is called when it ends by itself. */
  begin({ spec }: HostProcess, exit: () => void): Life {
    const { environment } = spec;
    const life = this.#world.begin(`${this.#host}/${spec.id}`, this.#host);
    const tasks = new Map<string, ServedStart>();
    this.#lives.set(life, tasks);
    this.#world.onEnd(life, () => this.#lives.delete(life));
    const clock = this.#world.clockOf(life);
    const over = (task: ExecutorTask): void => void tasks.delete(task.taskId);
    const executor = createExecutor(
      { clock, random: this.#world.random(life.name), transport: this.#network.transportOf(life), log: this.#log },
      {
        address: environment["MUSTER_AGENT_SOCKET"] ?? "",
        frameworkId: environment["MUSTER_FRAMEWORK_ID"] ?? "",
        executorId: environment["MUSTER_EXECUTOR_ID"] ?? "",
        token: environment["MUSTER_EXECUTOR_TOKEN"] ?? "",
        recoveryTimeoutMs: Number(environment["MUSTER_RECOVERY_TIMEOUT_MS"]),
        shutdownGraceMs: Number(environment["MUSTER_SHUTDOWN_GRACE_MS"]),
        ended: exit,
      },
      {
        launch: (task) => {
          const start = { taskId: task.taskId, launchId: task.launchId };
          tasks.set(task.taskId, start);
          this.onStart(start);
          const { runsForMs, exitCode } = behaviourOf(task.arguments);
          task.running();
          if (runsForMs === undefined) return;
          clock.after(runsForMs, () => {
            over(task);
            if (exitCode === 0) task.finished({ exitCode });
            else task.failed({ exitCode });
          });
        },
        kill: (task) => {
          if (behaviourOf(task.arguments).isDeaf) return;
          over(task);
          task.killed();
        },
        message: (data) => executor.send(data),
      },
    );
    clock.after(0, () => executor.start());
    return life;
  }
}
