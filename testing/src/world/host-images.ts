import type { ImageEvents, ImageReady, Images, ImageWish } from "@muster/executors";
import type { Random } from "@muster/foundation";
import type { HostProcesses } from "./host-processes.ts";
import type { Life } from "./life.ts";
import type { World } from "./world.ts";

/** One image in so many can't be had, as one whose registry is away. */
const failureOdds = 100;
/** A pull takes up to so long; most images are small. */
const pullMsMax = 8_000;

/** The images on one host. They outlive the agent's process and the host's power. */
export class HostImages {
  /** Whether pulls may fail. May be changed while it runs. */
  mayFail = true;
  readonly #world: World;
  readonly #random: Random;
  readonly #processes: HostProcesses;
  readonly #here = new Set<string>();
  /** Which image each task has, by the task's id. */
  readonly #uses = new Map<string, string>();
  /** Tasks that wait for theirs, with what their pull is for. */
  readonly #waiting = new Map<string, ImageWish>();
  #watcher: { readonly life: Life; readonly events: ImageEvents } | undefined;

  constructor(world: World, host: string, processes: HostProcesses) {
    this.#world = world;
    this.#random = world.random(`images/${host}`);
    this.#processes = processes;
  }

  reboot(): void {
    this.#waiting.clear();
    this.#watcher = undefined;
  }

  /** Living commands whose image nobody keeps for them: it may be gone from under them at any moment. */
  unkept(): string[] {
    return this.#processes
      .alive()
      .filter(({ spec }) => spec.container?.layers && !this.#uses.has(taskIdOf(spec.id)))
      .map(({ spec }) => spec.id);
  }

  openFor(life: Life): Images {
    return {
      start: (events) => {
        this.#watcher = { life, events };
        this.#waiting.clear();
      },
      keep: (ids) => {
        const kept = new Set(ids);
        for (const [id, image] of [...this.#uses])
          if (!kept.has(id)) this.#release(id);
          else
            this.#world.after(life, 0.5, "image", () => {
              if (this.#watcher?.life === life && this.#uses.has(id)) this.#watcher.events.ready(id, readyOf(image));
            });
      },
      prepare: (wish) => this.#prepare(life, wish),
      release: (id) => this.#release(id),
      stop: (done) => {
        if (this.#watcher?.life === life) this.#watcher = undefined;
        this.#world.after(life, 0, "image", done);
      },
    };
  }

  #prepare(life: Life, wish: ImageWish): void {
    const { id, image } = wish;
    this.#waiting.set(id, wish);
    const isHere = this.#here.has(image) && !wish.forcePull;
    if (!isHere) this.#later(life, wish, 1, (events) => events.progress(id, `pulling image ${image}`));
    this.#later(life, wish, isHere ? 0.5 : 2 + this.#random.next() ** 4 * pullMsMax, (events) => {
      this.#waiting.delete(id);
      if (this.mayFail && !isHere && this.#random.next() * failureOdds < 1) {
        events.failed(id, "it was not found in the registry");
        return;
      }
      this.#here.add(image);
      this.#uses.set(id, image);
      events.ready(id, readyOf(image));
    });
  }

  /** What a pull says, unless nobody waits for it any more. */
  #later(life: Life, wish: ImageWish, ms: number, say: (events: ImageEvents) => void): void {
    this.#world.after(life, ms, "image", () => {
      if (this.#waiting.get(wish.id) === wish && this.#watcher?.life === life) say(this.#watcher.events);
    });
  }

  #release(id: string): void {
    this.#waiting.delete(id);
    this.#uses.delete(id);
  }
}

/** Its command is the job's: the image says nothing. */
function readyOf(image: string): ImageReady {
  return {
    digest: `sha256:${image}`,
    layers: [`/images/${image}`],
    config: { entrypoint: [], command: [], environment: { IMAGE: image }, user: "", workFolder: "" },
  };
}

/** The task of which a command is an attempt. */
function taskIdOf(id: string): string {
  return id.replace(/(\.\d+)-\d+$/, "$1");
}
