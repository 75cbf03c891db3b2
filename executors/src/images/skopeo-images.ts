import { createHash } from "node:crypto";
import { promises as fs } from "node:fs";
import { arch } from "node:os";
import { join } from "node:path";
import type { Cancel, Clock, Log } from "@muster/foundation";
import { runTool } from "../networks/kernel/run-tool.ts";
import { readBootId } from "../shim/processes.ts";
import type { ImageEvents, ImageReady, Images, ImageWish } from "../world/images.ts";
import { Claims } from "./claims.ts";
import { collect } from "./collect.ts";
import { type ImageRecord, ImageStore } from "./image-store.ts";
import { platformOf } from "./manifest.ts";
import { pullImage } from "./pull.ts";
import { PullFailure } from "./pull-failure.ts";
import { type ImageReference, readReference } from "./reference.ts";
import { type RegistrySettings, registryDefaults, Skopeo } from "./skopeo.ts";

/** The disk is looked at so often while there are images, and a while after each use. */
export const collectMs = 5 * 60_000;
const collectSoonMs = 2_000;

export interface SkopeoImagesOptions {
  /** Absolute path of the agent's own folder; images are in "images" below it. */
  readonly dataFolder: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly registries?: RegistrySettings;
}

/** Images from registries and layouts, fetched by skopeo, unpacked layer by layer. Needs root, skopeo and perl. */
export function skopeoImages(options: SkopeoImagesOptions): Images {
  return new SkopeoImages(options);
}

/** A pull and who waits for it. */
interface Pull {
  readonly waiting: Set<string>;
  readonly abort: AbortController;
  readonly done: Promise<void>;
  message: string;
}

class SkopeoImages implements Images {
  readonly #store: ImageStore;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #registries: RegistrySettings;
  readonly #claims = new Claims();
  readonly #pulls = new Map<string, Pull>();
  /** Tasks that are to have an image and have not been released. */
  readonly #wanted = new Set<string>();
  #events: ImageEvents | undefined;
  #loaded: Promise<void> = Promise.resolve();
  #collection: Promise<void> = Promise.resolve();
  #timer: Cancel | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  constructor({ dataFolder, clock, log, registries = registryDefaults }: SkopeoImagesOptions) {
    this.#store = new ImageStore(join(dataFolder, "images"), readBootId(), clock);
    this.#clock = clock;
    this.#log = log;
    this.#registries = registries;
  }

  start(events: ImageEvents): void {
    this.#events = events;
    this.#loaded = this.#store.load();
    this.#loaded.catch((error) => this.#log.error({ error }, "the agent's images can't be read"));
  }

  keep(ids: readonly string[]): void {
    const kept = new Set(ids);
    for (const id of ids) this.#wanted.add(id);
    this.#loaded = this.#loaded.then(async () => {
      for (const [id, record] of this.#store.uses())
        if (!kept.has(id)) await this.#store.release(id);
        else if (record && this.#wanted.has(id)) this.#events?.ready(id, this.#ready(record));
      this.#collectWithin(collectSoonMs);
    });
    this.#loaded.catch(() => {});
  }

  prepare(wish: ImageWish): void {
    this.#wanted.add(wish.id);
    this.#begin(wish).catch((error: Error) => this.#fail(wish, error));
  }

  release(id: string): void {
    this.#wanted.delete(id);
    for (const pull of this.#pulls.values())
      if (pull.waiting.delete(id) && pull.waiting.size === 0)
        pull.abort.abort(new Error("nobody waits for it any more"));
    this.#loaded
      .then(() => this.#store.release(id))
      .then(
        () => this.#collectWithin(collectSoonMs),
        () => {},
      );
  }

  stop(done: () => void): void {
    this.#events = undefined;
    this.#timer?.();
    const under = [...this.#pulls.values()];
    for (const { abort } of under) abort.abort(new Error("the agent ends"));
    void Promise.allSettled([this.#loaded, ...under.map((pull) => pull.done), this.#collection]).then(() => done());
  }

  async #begin(wish: ImageWish): Promise<void> {
    const read = readReference(wish.image);
    if (!read.ok) throw new PullFailure(read.problem);
    await this.#loaded;
    const { reference } = read;
    const name = await nameOf(reference);
    const known = wish.forcePull ? undefined : this.#known(reference, name);
    if (known) await this.#give(wish.id, known);
    else this.#join(wish, reference, name);
  }

  /** An image that is here: named by its digest, or by a name whose registry was asked before. */
  #known({ digest }: ImageReference, name: string): ImageRecord | undefined {
    return (digest === "" ? undefined : this.#store.image(digest)) ?? this.#store.imageNamed(name);
  }

  /** Of several tasks that want the same at once, by the same right, one fetches it. */
  #join(wish: ImageWish, reference: ImageReference, name: string): void {
    if (!this.#wanted.has(wish.id) || !this.#events) return;
    const key = JSON.stringify([name, wish.credentials ?? null, wish.timeoutMs]);
    const other = this.#pulls.get(key);
    if (other) {
      other.waiting.add(wish.id);
      if (other.message !== "") this.#events.progress(wish.id, other.message);
      return;
    }
    const abort = new AbortController();
    const waiting = new Set([wish.id]);
    const pull: Pull = { waiting, abort, message: "", done: this.#pull(wish, reference, name, key, abort, waiting) };
    this.#pulls.set(key, pull);
  }

  async #pull(
    wish: ImageWish,
    reference: ImageReference,
    name: string,
    key: string,
    abort: AbortController,
    waiting: ReadonlySet<string>,
  ): Promise<void> {
    let before = "";
    const cancel = this.#clock.after(wish.timeoutMs, () => {
      const text = `it was not here within ${wish.timeoutMs / 1_000} s (image_pull_timeout)`;
      abort.abort(new PullFailure(before === "" ? text : `${text}; before that ${before}`));
    });
    const folder = this.#store.newMoment();
    const claim = this.#claims.open();
    try {
      const limits = { signal: abort.signal, timeoutMs: wish.timeoutMs };
      const record = await pullImage(reference, folder, {
        store: this.#store,
        skopeo: new Skopeo(folder, this.#registries, reference, wish.credentials, limits),
        host: platformOf(arch()),
        signal: abort.signal,
        claim: (digests) => claim.take(digests, abort.signal),
        progress: (message) => this.#progress(key, message),
        failed: ({ message }) => {
          before = message;
        },
        pause: (ms) => this.#pause(ms, abort.signal),
      });
      await this.#store.addName(name, record.digest);
      this.#pulls.delete(key);
      for (const id of waiting) await this.#give(id, record);
      this.#log.info({ image: reference.text, digest: record.digest }, "an image is here");
      void this.#sync(record.layers);
    } catch (error) {
      this.#pulls.delete(key);
      for (const id of waiting) this.#fail({ ...wish, id }, error as Error);
    } finally {
      cancel();
      claim.release();
      await fs.rm(folder, { recursive: true, force: true }).catch(() => {});
      this.#collectWithin(collectSoonMs);
    }
  }

  #progress(key: string, message: string): void {
    const pull = this.#pulls.get(key);
    if (!pull) return;
    pull.message = message;
    this.#log.info({}, message);
    for (const id of pull.waiting) this.#events?.progress(id, message);
  }

  async #give(id: string, record: ImageRecord): Promise<void> {
    if (!this.#wanted.has(id)) return;
    await this.#store.use(id, record.digest);
    // It may have been released while its use was written.
    if (!this.#wanted.has(id)) await this.#store.release(id);
    else this.#events?.ready(id, this.#ready(record));
  }

  #ready({ digest, config, layers }: ImageRecord): ImageReady {
    return { digest, config, layers: layers.map((id) => this.#store.layerPath(id)).reverse() };
  }

  #fail({ id, image }: ImageWish, error: Error): void {
    if (!this.#wanted.has(id)) return;
    this.#log.warn({ image, error: error.message }, "an image could not be had");
    this.#events?.failed(id, error.message);
  }

  /** What was unpacked is written to the disk in its own time; until then a new boot unpacks it anew. */
  async #sync(layers: readonly string[]): Promise<void> {
    try {
      await runTool("sync", ["-f", this.#store.folder], "", collectMs);
      await this.#store.markSynced(layers);
    } catch (error) {
      this.#log.warn(
        { error },
        "an image could not be made durable; after a restart of the machine it is fetched again",
      );
    }
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(ms, resolve);
      signal.addEventListener("abort", () => {
        cancel();
        resolve();
      });
    });
  }

  /** One timer: the sooner wish counts. */
  #collectWithin(ms: number): void {
    const at = this.#clock.monotonicMs() + ms;
    if (!this.#events || at >= this.#timerAtMs) return;
    this.#timer?.();
    this.#timerAtMs = at;
    this.#timer = this.#clock.after(ms, () => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.#collection = this.#collection
        .then(() => collect(this.#store, this.#claims))
        .then((gone) => {
          if (gone !== undefined) this.#log.info(gone, "the disk was nearly full: images that nobody used are gone");
          this.#collectWithin(collectMs);
        })
        .catch((error) => this.#log.warn({ error }, "images that nobody uses could not be removed"));
    });
  }
}

/** A file or a folder on this host means something else once it has changed. */
async function nameOf({ source, path }: ImageReference): Promise<string> {
  if (path === "") return source;
  const place = await fs.stat(join(path, "index.json")).catch(() => fs.stat(path).catch(() => undefined));
  if (!place) return source;
  return `${source} ${createHash("sha256").update(`${place.ino} ${place.size} ${place.mtimeMs}`).digest("hex")}`;
}
