import type { Log } from "@muster/foundation";
import { Engine } from "./engine.ts";
import { EngineContainers } from "./engine-containers.ts";

/** What of an Engine is one agent's. Nothing here throws; what could not be done is done at a later look. */
export class OwnEngine {
  readonly socket: string;
  readonly owner: string;
  readonly #containers: EngineContainers;
  readonly #log: Log;

  constructor(socket: string, owner: string, log: Log) {
    this.socket = socket;
    this.owner = owner;
    this.#containers = new EngineContainers(new Engine(socket), owner);
    this.#log = log;
  }

  /** Ends and removes what there is of an attempt, then calls back. */
  remove(task: string, done: () => void): void {
    this.#remove(() => false, task).then(done, (error) => {
      this.#log.warn({ task, error }, "a container of an ended task could not be removed");
      done();
    });
  }

  /** Ends and removes all that is not wanted when the Engine has answered. */
  keep(isWanted: (task: string) => boolean): void {
    this.#remove(isWanted).catch((error) => {
      this.#log.warn({ error }, "what belongs to no task could not be looked for in the Engine");
    });
  }

  async #remove(isWanted: (task: string) => boolean, only?: string): Promise<void> {
    for (const { id, task } of await this.#containers.list(only)) {
      if (isWanted(task)) continue;
      if (only === undefined) this.#log.warn({ task }, "a container that no record speaks of is ended");
      await this.#containers.remove(id);
    }
  }
}
