import { createHash } from "node:crypto";
import { promises as fs } from "node:fs";
import { join } from "node:path";
import type { Clock } from "@muster/foundation";
import type { ImageConfig } from "../world/images.ts";
import type { StoredThings } from "./plan-collection.ts";
import type { LayerFacts } from "./unpack.ts";

/** An image that is here, whole. */
export interface ImageRecord {
  /** Of its manifest, as its registry has it. */
  readonly digest: string;
  readonly config: ImageConfig;
  /** Layers by their digests when unpacked, the lowest first. */
  readonly layers: readonly string[];
}

interface LayerRecord extends LayerFacts {
  /** The boot of the machine in which it was unpacked. */
  readonly bootId: string;
  /** The kernel has been told to keep it over a loss of power. */
  readonly isSynced: boolean;
}

/**
 * The files of images below the agent's folder:
 *
 *     blobs/sha256/HEX    what was fetched
 *     layers/HEX/fs       a layer, unpacked; layers/HEX/record says what it takes
 *     images/HEX          an image: its layers and its configuration; touched when it is used
 *     names/HEX           which image a name meant when its registry was asked last
 *     uses/TASK           which image a task runs from
 *     moment/             what is under way; emptied at each start
 */
export class ImageStore {
  readonly folder: string;
  readonly #bootId: string;
  readonly #clock: Clock;
  readonly #images = new Map<string, ImageRecord & { usedAt: number }>();
  readonly #layers = new Map<string, LayerRecord>();
  readonly #names = new Map<string, string>();
  readonly #uses = new Map<string, string>();
  #momentCount = 0;

  constructor(folder: string, bootId: string, clock: Clock) {
    this.folder = folder;
    this.#bootId = bootId;
    this.#clock = clock;
  }

  get blobs(): string {
    return join(this.folder, "blobs");
  }

  blobPath(digest: string): string {
    return join(this.blobs, "sha256", hexOf(digest));
  }

  layerPath(id: string): string {
    return join(this.folder, "layers", hexOf(id));
  }

  /** A name for a folder that is not there yet. */
  newMoment(): string {
    return join(this.folder, "moment", String(++this.#momentCount));
  }

  /** Takes up what is here. What an earlier life had under way goes, as does what a loss of power may have torn. */
  async load(): Promise<void> {
    await fs.rm(join(this.folder, "moment"), { recursive: true, force: true });
    for (const name of ["blobs/sha256", "layers", "images", "names", "uses", "moment"])
      await fs.mkdir(join(this.folder, name), { recursive: true, mode: 0o711 });
    for (const name of await fs.readdir(join(this.folder, "layers"))) {
      const record = await readRecord<LayerRecord>(join(this.folder, "layers", name, "record"));
      if (record && (record.isSynced || record.bootId === this.#bootId)) this.#layers.set(`sha256:${name}`, record);
      else await this.#discard(join(this.folder, "layers", name));
    }
    for (const name of await fs.readdir(join(this.folder, "images"))) {
      const path = join(this.folder, "images", name);
      const record = await readRecord<ImageRecord>(path);
      if (record?.layers.every((id) => this.#layers.has(id)))
        this.#images.set(record.digest, { ...record, usedAt: (await fs.stat(path)).mtimeMs });
      else await fs.rm(path, { force: true });
    }
    for (const name of await fs.readdir(join(this.folder, "names"))) {
      const path = join(this.folder, "names", name);
      const record = await readRecord<{ digest: string }>(path);
      if (record && this.#images.has(record.digest)) this.#names.set(name, record.digest);
      else await fs.rm(path, { force: true });
    }
    for (const name of await fs.readdir(join(this.folder, "uses")))
      this.#uses.set(name, await fs.readFile(join(this.folder, "uses", name), "utf8"));
  }

  image(digest: string): ImageRecord | undefined {
    return this.#images.get(digest);
  }

  imageNamed(name: string): ImageRecord | undefined {
    return this.image(this.#names.get(nameKey(name)) ?? "");
  }

  hasLayer(id: string): boolean {
    return this.#layers.has(id);
  }

  /** An unpacked layer takes its place; another that was unpacked at the same time may have been faster. */
  async addLayer(id: string, from: string, facts: LayerFacts): Promise<void> {
    if (this.#layers.has(id)) {
      await this.#discard(from);
      return;
    }
    const record: LayerRecord = { ...facts, bootId: this.#bootId, isSynced: false };
    await fs.writeFile(join(from, "record"), JSON.stringify(record));
    await fs.rm(this.layerPath(id), { recursive: true, force: true });
    await fs.rename(from, this.layerPath(id));
    this.#layers.set(id, record);
  }

  /** What was unpacked in this boot survives the next loss of power. */
  async markSynced(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const record = this.#layers.get(id);
      if (!record || record.isSynced) continue;
      const synced = { ...record, isSynced: true };
      this.#layers.set(id, synced);
      await writeWhole(join(this.layerPath(id), "record"), JSON.stringify(synced));
    }
  }

  async addImage(record: ImageRecord): Promise<void> {
    await writeWhole(join(this.folder, "images", hexOf(record.digest)), JSON.stringify(record));
    this.#images.set(record.digest, { ...record, usedAt: this.#clock.epochMs() });
  }

  async addName(name: string, digest: string): Promise<void> {
    const key = nameKey(name);
    if (this.#names.get(key) === digest) return;
    await writeWhole(join(this.folder, "names", key), JSON.stringify({ name, digest }));
    this.#names.set(key, digest);
  }

  /** From here on the image stays while the task does. */
  async use(id: string, digest: string): Promise<void> {
    const epochMs = this.#clock.epochMs();
    this.#uses.set(id, digest);
    const image = this.#images.get(digest);
    if (image) image.usedAt = epochMs;
    await fs.writeFile(join(this.folder, "uses", id), digest);
    await fs.utimes(join(this.folder, "images", hexOf(digest)), epochMs / 1_000, epochMs / 1_000);
  }

  async release(id: string): Promise<void> {
    if (this.#uses.delete(id)) await fs.rm(join(this.folder, "uses", id), { force: true });
  }

  /** Tasks with the images that they run from. */
  uses(): [string, ImageRecord | undefined][] {
    return [...this.#uses].map(([id, digest]) => [id, this.#images.get(digest)]);
  }

  imagesInUse(): Set<string> {
    return new Set(this.#uses.values());
  }

  async stored(): Promise<StoredThings> {
    const blobs = new Map<string, number>();
    for (const name of await fs.readdir(join(this.blobs, "sha256")))
      blobs.set(`sha256:${name}`, (await fs.stat(join(this.blobs, "sha256", name))).size);
    return {
      images: [...this.#images.values()],
      layers: new Map([...this.#layers].map(([id, { bytes }]) => [id, bytes])),
      blobs,
    };
  }

  async removeImage(digest: string): Promise<void> {
    this.#images.delete(digest);
    await fs.rm(join(this.folder, "images", hexOf(digest)), { force: true });
  }

  async removeLayer(id: string): Promise<void> {
    this.#layers.delete(id);
    await this.#discard(this.layerPath(id));
  }

  removeBlob(digest: string): Promise<void> {
    return fs.rm(this.blobPath(digest), { force: true });
  }

  /** Away at one stroke, so that a crash leaves no half of a layer where a whole one is looked for. */
  async #discard(path: string): Promise<void> {
    const place = this.newMoment();
    await fs.rename(path, place);
    await fs.rm(place, { recursive: true, force: true });
  }
}

function hexOf(digest: string): string {
  return digest.replace(/^sha256:/, "");
}

function nameKey(name: string): string {
  return createHash("sha256").update(name).digest("hex");
}

async function readRecord<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await fs.readFile(path, "utf8")) as T;
  } catch {
    return undefined;
  }
}

async function writeWhole(path: string, text: string): Promise<void> {
  await fs.writeFile(`${path}.new`, text);
  await fs.rename(`${path}.new`, path);
}
