import type { FolderMove, GroupFiles } from "@muster/executors";
import type { Life } from "./life.ts";
import type { World } from "./world.ts";

/** Folders are renamed within so long. */
const moveMsMax = 20;

/** Who has taken over whose folders on one host. */
export class HostGroupFiles {
  readonly #world: World;
  readonly #host: string;
  /** In the order in which they were moved. */
  readonly taken: FolderMove[] = [];

  constructor(world: World, host: string) {
    this.#world = world;
    this.#host = host;
  }

  openFor(life: Life): GroupFiles {
    const random = this.#world.random(`group-files/${this.#host}`);
    return {
      take: (moves, done) =>
        this.#world.after(life, random.next() * moveMsMax, "take-files", () => {
          const isThere = (from: string) => !this.taken.some((one) => one.from === from);
          this.taken.push(...moves.filter(({ from }) => isThere(from)));
          done(undefined);
        }),
    };
  }
}
