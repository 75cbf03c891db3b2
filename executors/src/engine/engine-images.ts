import { arch } from "node:os";
import type { Clock, Log } from "@muster/foundation";
import { taskIdOf } from "../agent/folders.ts";
import { parseImageConfig } from "../images/image-config.ts";
import { platformOf, runsOn, wrongPlatform } from "../images/manifest.ts";
import { type PullDeps, retrying } from "../images/pull.ts";
import { PullFailure, pullFailure } from "../images/pull-failure.ts";
import { type ImageReference, readReference } from "../images/reference.ts";
import type { RegistrySettings } from "../images/skopeo.ts";
import type { ImageEvents, ImageReady, Images, ImageWish } from "../world/images.ts";
import { type Engine, messageOf } from "./engine.ts";
import { EngineContainers } from "./engine-containers.ts";
import { PullProgress } from "./pull-progress.ts";
import { registryAuth } from "./registry-auth.ts";

export interface EngineImagesOptions {
  readonly engine: Engine;
  /** Names the agent among those that share the Engine. */
  readonly owner: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly registries: RegistrySettings;
}

/** Images that an Engine pulls and keeps. Which one a living task has, its container says; unused ones are the Engine's. */
export function engineImages(options: EngineImagesOptions): Images {
  return new EngineImages(options);
}

class EngineImages implements Images {
  readonly #options: EngineImagesOptions;
  readonly #pulls = new Map<string, { readonly abort: AbortController; readonly done: Promise<void> }>();
  #events: ImageEvents | undefined;

  constructor(options: EngineImagesOptions) {
    this.#options = options;
  }

  start(events: ImageEvents): void {
    this.#events = events;
  }

  keep(ids: readonly string[]): void {
    if (ids.length === 0) return;
    const { engine, owner, log } = this.#options;
    const kept = new Set(ids);
    const find = async (): Promise<void> => {
      for (const { task: attempt, image } of await new EngineContainers(engine, owner).list()) {
        const task = taskIdOf(attempt);
        const ready = kept.has(task) && image !== "" ? await this.#inspect(image) : undefined;
        if (ready) this.#events?.ready(task, ready);
      }
    };
    find().catch((error) => log.warn({ error }, "the Engine does not say what images its containers have"));
  }

  prepare(wish: ImageWish): void {
    const abort = new AbortController();
    const done = this.#prepare(wish, abort).catch((error: Error) => {
      if (this.#pulls.get(wish.id)?.abort !== abort) return;
      this.#options.log.warn({ image: wish.image, error: error.message }, "an image could not be had");
      this.#events?.failed(wish.id, error.message);
    });
    this.#pulls.set(wish.id, { abort, done });
    void done.finally(() => {
      if (this.#pulls.get(wish.id)?.abort === abort) this.#pulls.delete(wish.id);
    });
  }

  release(id: string): void {
    const pull = this.#pulls.get(id);
    this.#pulls.delete(id);
    pull?.abort.abort(new Error("nobody waits for it any more"));
  }

  stop(done: () => void): void {
    this.#events = undefined;
    const pulls = [...this.#pulls.values()];
    for (const id of [...this.#pulls.keys()]) this.release(id);
    void Promise.allSettled(pulls.map((pull) => pull.done)).then(() => done());
  }

  async #prepare(wish: ImageWish, abort: AbortController): Promise<void> {
    const read = readReference(wish.image);
    if (!read.ok) throw new PullFailure(read.problem);
    const { reference } = read;
    if (reference.registry === "") throw new PullFailure('an Engine runs images of registries only: driver = "oci"');
    const here = wish.forcePull ? undefined : await this.#inspect(nameOf(reference));
    const ready = here ?? (await this.#fetch(wish, reference, abort));
    if (this.#pulls.get(wish.id)?.abort === abort) this.#events?.ready(wish.id, ready);
  }

  async #fetch(wish: ImageWish, reference: ImageReference, abort: AbortController): Promise<ImageReady> {
    const { clock } = this.#options;
    let before = "";
    const cancel = clock.after(wish.timeoutMs, () => {
      const text = `it was not here within ${wish.timeoutMs / 1_000} s (image_pull_timeout)`;
      abort.abort(new PullFailure(before === "" ? text : `${text}; before that ${before}`));
    });
    const deps: Pick<PullDeps, "failed" | "pause" | "signal"> = {
      signal: abort.signal,
      failed: ({ message }) => {
        before = message;
      },
      pause: (ms) =>
        new Promise((resolve) => {
          clock.after(ms, resolve);
          abort.signal.addEventListener("abort", () => resolve());
        }),
    };
    try {
      await retrying(deps, () => this.#pull(wish, reference, abort.signal));
    } catch (error) {
      throw abort.signal.aborted ? abort.signal.reason : error;
    } finally {
      cancel();
    }
    const ready = await this.#inspect(nameOf(reference));
    if (!ready) throw new PullFailure("the Engine has pulled it, and does not have it");
    return ready;
  }

  async #pull(wish: ImageWish, reference: ImageReference, signal: AbortSignal): Promise<void> {
    const { engine, registries } = this.#options;
    const name = nameOf(reference);
    // After the repository comes its tag or its digest; a registry's port is followed by a slash.
    const end = reference.digest === "" ? name.lastIndexOf(":") : name.lastIndexOf("@");
    const query = new URLSearchParams({ fromImage: name.slice(0, end), tag: name.slice(end + 1) });
    const auth = registryAuth(reference.registry, wish.credentials, registries.authFile);
    const progress = new PullProgress();
    const said: Buffer[] = [];
    const status = await engine.read(
      {
        method: "POST",
        path: `/images/create?${query}`,
        signal,
        ...(auth === "" ? {} : { headers: { "X-Registry-Auth": auth } }),
      },
      (part) => {
        if (said.length === 0) said.push(part);
        if (!progress.take(part.toString("utf8"))) return;
        const { layerCount, bytes } = progress;
        const message = `pulling image ${reference.text}: ${layerCount} layers, ${Math.ceil(bytes / 2 ** 20)} MiB`;
        this.#events?.progress(wish.id, message);
      },
    );
    progress.end();
    if (status !== 200) throw pullFailure(reference, messageOf({ status, body: Buffer.concat(said) }));
    if (progress.error !== undefined) throw pullFailure(reference, progress.error);
  }

  /** What the Engine says of an image that it has; undefined: it has none of that name. */
  async #inspect(name: string): Promise<ImageReady | undefined> {
    const answer = await this.#options.engine.ask({ method: "GET", path: `/images/${name}/json` });
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw new PullFailure(`the Engine does not describe it: ${messageOf(answer)}`);
    const said = JSON.parse(answer.body.toString("utf8")) as Record<string, unknown>;
    const { config, platform } = parseImageConfig(
      JSON.stringify({
        os: said["Os"],
        architecture: said["Architecture"],
        variant: said["Variant"],
        config: said["Config"],
        rootfs: { diff_ids: [] },
      }),
    );
    const host = platformOf(arch());
    if (!runsOn(platform, host)) throw new PullFailure(wrongPlatform(host, [platform]));
    return { digest: String(said["Id"]), layers: [], config };
  }
}

/** As an Engine takes it. */
function nameOf({ source }: ImageReference): string {
  return source.replace(/^docker:\/\//, "");
}
