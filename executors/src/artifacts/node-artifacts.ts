import { chmodSync, chownSync, promises as fs, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type ArtifactWish, type Cancel, type Clock, type Log, readArtifact, sourceShown } from "@muster/foundation";
import type { Artifact } from "@muster/proto";
import { taskFolders } from "../agent/folders.ts";
import { accountOf } from "../containers/account-of.ts";
import type { Artifacts, ArtifactsEvents, ArtifactsWish } from "../world/artifacts.ts";
import { DownloadCache } from "./cache.ts";
import { type Place, placeOf } from "./destination.ts";
import { FetchProcess } from "./fetch-process.ts";
import type { FetchedItem, FetchItem } from "./fetcher/fetch-order.ts";
import { install, type Owner } from "./install.ts";
import { type ArtifactSettings, artifactDefaults } from "./limits.ts";

/** Under this number, which no account has, an agent of root fetches: whatever gets hold of it can read and end nothing. */
export const fetchAccount = 64_535;

export interface NodeArtifactsOptions {
  /** Absolute path of the agent's own folder; artifacts under way are in "artifacts" below it. */
  readonly dataFolder: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings?: ArtifactSettings;
}

/** What a task waits for. */
interface Fetch {
  readonly wish: ArtifactsWish;
  process: FetchProcess | undefined;
  isReleased: boolean;
}

interface Part {
  readonly artifact: Artifact;
  readonly wish: ArtifactWish;
  readonly place: Place;
}

/**
 * Artifacts from the network and from the host's disk. A process without rights fetches and unpacks into a folder that
 * nobody else gets to; what came of it is moved into the task's folders when all is there and was looked at.
 */
export class NodeArtifacts implements Artifacts {
  readonly #dataFolder: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #settings: ArtifactSettings;
  readonly #cache: DownloadCache;
  readonly #staging: string;
  readonly #fetches = new Map<string, Fetch>();
  readonly #waiting: Fetch[] = [];
  readonly #running = new Set<Promise<void>>();
  #events: ArtifactsEvents | undefined;
  #count = 0;

  constructor({ dataFolder, clock, log, settings = artifactDefaults }: NodeArtifactsOptions) {
    this.#dataFolder = dataFolder;
    this.#clock = clock;
    this.#log = log;
    this.#settings = settings;
    const folder = join(dataFolder, "artifacts");
    this.#staging = join(folder, "under-way");
    this.#cache = new DownloadCache(join(folder, "downloads"), settings.limits.cacheBytesMax);
  }

  start(events: ArtifactsEvents): void {
    this.#events = events;
    rmSync(this.#staging, { recursive: true, force: true });
  }

  prepare(wish: ArtifactsWish): void {
    if (this.#fetches.has(wish.id)) return;
    const fetch: Fetch = { wish, process: undefined, isReleased: false };
    this.#fetches.set(wish.id, fetch);
    this.#waiting.push(fetch);
    if (this.#running.size >= this.#settings.limits.parallelMax)
      setImmediate(() => this.#progress(fetch, `its artifacts wait for those of ${this.#running.size} other tasks`));
    else setImmediate(() => this.#startNext());
  }

  release(id: string): void {
    const fetch = this.#fetches.get(id);
    if (!fetch) return;
    fetch.isReleased = true;
    this.#fetches.delete(id);
    const at = this.#waiting.indexOf(fetch);
    if (at >= 0) this.#waiting.splice(at, 1);
    fetch.process?.kill();
  }

  stop(done: () => void): void {
    this.#events = undefined;
    for (const id of [...this.#fetches.keys()]) this.release(id);
    void Promise.allSettled([...this.#running]).then(() => done());
  }

  #startNext(): void {
    while (this.#running.size < this.#settings.limits.parallelMax) {
      const fetch = this.#waiting.shift();
      if (!fetch) return;
      const run = this.#run(fetch);
      this.#running.add(run);
      void run.then(() => {
        this.#running.delete(run);
        this.#startNext();
      });
    }
  }

  /** Never rejects. */
  async #run(fetch: Fetch): Promise<void> {
    const { id } = fetch.wish;
    const folder = join(this.#staging, String(++this.#count));
    const beganMs = this.#clock.monotonicMs();
    let end: () => void = () => {};
    try {
      const bytes = await this.#fetch(fetch, folder);
      const seconds = ((this.#clock.monotonicMs() - beganMs) / 1_000).toFixed(1);
      const what = fetch.wish.artifacts.length === 1 ? "1 artifact" : `${fetch.wish.artifacts.length} artifacts`;
      const message = `${what} here in ${seconds} s, ${(bytes / 2 ** 20).toFixed(1)} MiB downloaded`;
      this.#log.info({ task: id }, message);
      end = () => this.#events?.ready(id, message);
    } catch (error) {
      const { message } = error as Error;
      if (!fetch.isReleased) this.#log.warn({ task: id, reason: message }, "an artifact could not be had");
      end = () => this.#events?.failed(id, `artifact ${message}`);
    }
    await fs.rm(folder, { recursive: true, force: true }).catch(() => {});
    if (fetch.isReleased) return;
    this.#fetches.delete(id);
    end();
  }

  /** Gives how many bytes were downloaded. */
  async #fetch(fetch: Fetch, folder: string): Promise<number> {
    const { wish } = fetch;
    const folders = taskFolders(this.#dataFolder, wish.id);
    const parts = wish.artifacts.map((artifact) => readPart(artifact, folders));
    const owners = parts.map(({ artifact }) => ownerOf(artifact, wish));
    const account = process.getuid?.() === 0 ? fetchAccount : undefined;
    mkdirSync(folder, { recursive: true });
    // Above it nobody may pass, so that no task can get to what is under way.
    chmodSync(join(this.#dataFolder, "artifacts"), 0o700);
    if (account !== undefined) chownSync(folder, account, account);
    const items: FetchItem[] = [];
    for (const [at, { artifact, wish: asked }] of parts.entries()) {
      const { headers, insecure, source } = artifact;
      const isHere = await this.#takeKept(asked, join(folder, String(at)), account);
      items.push({ wish: asked, headers, insecure, shown: sourceShown(source), isHere });
    }
    const { limits, folders: allowed, allowedNetworks } = this.#settings;
    const order = { items, limits, folders: allowed, allowedNetworks, account };
    const fetched = await this.#runProcess(fetch, order, folder, parts);
    if (fetch.isReleased) return 0;
    mkdirSync(folders.work, { recursive: true, mode: 0o755 });
    mkdirSync(folders.shared, { recursive: true, mode: 0o755 });
    for (const [at, part] of parts.entries()) {
      if (fetch.isReleased) return 0;
      const own = join(folder, String(at));
      await this.#keep(part.wish, join(own, "download"), items[at]?.isHere === true);
      const fileName = fetched[at]?.fileName;
      await install(join(own, "result"), part.place, fileName, part.wish.mode === "file", owners[at]).catch((error) => {
        throw new Error(`${sourceShown(part.artifact.source)}: ${(error as Error).message}`);
      });
    }
    return fetched.reduce((total, { downloadedBytes }) => total + downloadedBytes, 0);
  }

  async #runProcess(
    fetch: Fetch,
    order: ConstructorParameters<typeof FetchProcess>[0],
    folder: string,
    parts: readonly Part[],
  ): Promise<readonly FetchedItem[]> {
    const { timeoutMs } = this.#settings.limits;
    if (fetch.isReleased) return [];
    const running = new FetchProcess(order, folder, (message) => this.#progress(fetch, message));
    fetch.process = running;
    let isLate = false;
    const cancel: Cancel = this.#clock.after(timeoutMs, () => {
      isLate = true;
      running.kill();
    });
    try {
      return await running.done;
    } catch (error) {
      if (isLate) throw new Error(`they were not here within ${timeoutMs / 1_000} s (timeout_ms)`);
      // What was kept may have been damaged on the disk: the next try fetches it anew.
      for (const [at, { wish }] of parts.entries())
        if (order.items[at]?.isHere && wish.from.kind === "file") await this.#cache.forget(wish.from.checksum);
      throw error;
    } finally {
      cancel();
    }
  }

  async #takeKept({ from }: ArtifactWish, folder: string, account: number | undefined): Promise<boolean> {
    if (from.kind !== "file") return false;
    mkdirSync(folder, { recursive: true });
    if (account !== undefined) chownSync(folder, account, account);
    const download = join(folder, "download");
    if (!(await this.#cache.take(from.checksum, download))) return false;
    if (account !== undefined) chownSync(download, account, account);
    return true;
  }

  async #keep({ from }: ArtifactWish, download: string, isKept: boolean): Promise<void> {
    if (from.kind !== "file" || isKept) return;
    await this.#cache.keep(from.checksum, download).catch((error: Error) => {
      this.#log.warn({ reason: error.message }, "a download could not be kept for other tasks");
    });
  }

  #progress(fetch: Fetch, message: string): void {
    if (!fetch.isReleased) this.#events?.progress(fetch.wish.id, message);
  }
}

function readPart(artifact: Artifact, folders: ReturnType<typeof taskFolders>): Part {
  const shown = sourceShown(artifact.source);
  const read = readArtifact(artifact);
  if (!read.ok) throw new Error(`${shown}: ${read.field}: ${read.problem}`);
  const place = placeOf(artifact.destination, folders);
  if (typeof place === "string") throw new Error(`${shown}: ${place}`);
  return { artifact, wish: read.wish, place };
}

/** Whom it is given to; undefined: who fetches is who has it. */
function ownerOf({ chown, source }: Artifact, { user, container }: ArtifactsWish): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined;
  if (!chown) return { uid: 0, gid: 0 };
  const account = accountOf(user, container);
  if (account) return account;
  if (user === "" && !container) return { uid: 0, gid: 0 };
  throw new Error(`${sourceShown(source)}: chown: the agent does not know the account ${user}; write user as a number`);
}
