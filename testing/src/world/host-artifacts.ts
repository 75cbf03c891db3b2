import type { Artifacts, ArtifactsEvents, ArtifactsWish } from "@muster/executors";
import type { Random } from "@muster/foundation";
import type { Life } from "./life.ts";
import type { World } from "./world.ts";

/** One fetch in so many fails, as of a server that is away. */
const failureOdds = 100;
/** A fetch takes up to so long; most files are small. */
const fetchMsMax = 4_000;

/** What tasks of one host have fetched. Nothing that is under way outlives the agent's process. */
export class HostArtifacts {
  /** Whether fetches may fail. May be changed while it runs. */
  mayFail = true;
  readonly #world: World;
  readonly #random: Random;
  readonly #waiting = new Map<string, ArtifactsWish>();
  #watcher: { readonly life: Life; readonly events: ArtifactsEvents } | undefined;

  constructor(world: World, host: string) {
    this.#world = world;
    this.#random = world.random(`artifacts/${host}`);
  }

  openFor(life: Life): Artifacts {
    return {
      start: (events) => {
        this.#watcher = { life, events };
        this.#waiting.clear();
      },
      prepare: (wish) => this.#prepare(life, wish),
      release: (id) => void this.#waiting.delete(id),
      stop: (done) => {
        if (this.#watcher?.life === life) this.#watcher = undefined;
        this.#world.after(life, 0, "artifacts", done);
      },
    };
  }

  #prepare(life: Life, wish: ArtifactsWish): void {
    this.#waiting.set(wish.id, wish);
    this.#world.after(life, 1 + this.#random.next() ** 4 * fetchMsMax, "artifacts", () => {
      if (this.#waiting.get(wish.id) !== wish || this.#watcher?.life !== life) return;
      this.#waiting.delete(wish.id);
      const { events } = this.#watcher;
      if (this.mayFail && this.#random.next() * failureOdds < 1) events.failed(wish.id, "the server did not answer");
      else events.ready(wish.id, "");
    });
  }
}
