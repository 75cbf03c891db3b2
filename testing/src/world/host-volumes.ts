import type { Volumes } from "@muster/executors";
import type { Random } from "@muster/foundation";
import type { Life } from "./life.ts";
import type { World } from "./world.ts";

/** One folder in so many can't be made, as on a disk that is full for a moment. */
const failureOdds = 50;
/** A folder is made or removed within so long. */
const workMsMax = 50;

/** The folders of volumes on one host. They outlive the agent's process and the host's power. */
export class HostVolumes {
  readonly #world: World;
  readonly #random: Random;
  /** Ids of those that are there. */
  readonly here = new Set<string>();

  constructor(world: World, host: string) {
    this.#world = world;
    this.#random = world.random(`volumes/${host}`);
  }

  openFor(life: Life): Volumes {
    return {
      make: (id, done) =>
        this.#later(life, () => {
          if (this.#random.next() * failureOdds < 1) {
            done("no space left on the disk");
            return;
          }
          this.here.add(id);
          done(undefined);
        }),
      remove: (id, done) =>
        this.#later(life, () => {
          this.here.delete(id);
          done(undefined);
        }),
      keep: (ids) => {
        for (const id of [...this.here]) if (!ids.has(id)) this.here.delete(id);
      },
    };
  }

  #later(life: Life, work: () => void): void {
    this.#world.after(life, this.#random.next() * workMsMax, "volume", work);
  }
}
