import { createHash } from "node:crypto";
import { promises as fs } from "node:fs";
import { join } from "node:path";
import { parseImageConfig } from "./image-config.ts";
import type { ImageRecord, ImageStore } from "./image-store.ts";
import {
  type Blob,
  choosePlatform,
  type Manifest,
  manifestBytesMax,
  type Platform,
  parseManifest,
  runsOn,
  wrongPlatform,
} from "./manifest.ts";
import { PullFailure } from "./pull-failure.ts";
import { byDigest, type ImageReference } from "./reference.ts";
import type { Skopeo } from "./skopeo.ts";
import { unpackLayer } from "./unpack.ts";

/** Tries to fetch an image whose registry breaks off. */
export const triesMax = 4;
/** Before the second try; each later one waits twice as long. */
export const retryDelayMs = 500;

export interface PullDeps {
  readonly store: ImageStore;
  readonly skopeo: Skopeo;
  readonly host: Platform;
  readonly signal: AbortSignal;
  /** Layers and blobs from here on in use; they are not fetched by two pulls at once. */
  claim(digests: readonly string[]): Promise<void>;
  progress(message: string): void;
  /** A try has failed, and there will be another. */
  failed(failure: PullFailure): void;
  pause(ms: number): Promise<void>;
}

/** Brings an image here, or finds that it is here, and gives what it is. Throws with the reason. */
export async function pullImage(reference: ImageReference, folder: string, deps: PullDeps): Promise<ImageRecord> {
  const { store, skopeo } = deps;
  const top = await retrying(deps, () => skopeo.inspect(reference));
  const digest = digestOf(top);
  // A layout on this host may hold a manifest that nobody has checked; a registry's is checked by its digest here, too.
  if (reference.digest !== "" && digest !== reference.digest)
    throw new PullFailure(`its registry gave a manifest with the digest ${digest} for ${reference.digest}`);
  const wanted = understand(() => chosen(parseManifest(top.toString("utf8")), digest, deps.host));
  const known = store.image(wanted);
  if (known) {
    await deps.claim(known.layers);
    if (store.image(wanted)) return known;
    throw new PullFailure("it was removed from this host at the same moment");
  }
  const isInRegistry = reference.registry !== "";
  const source = isInRegistry ? byDigest(reference, wanted) : reference.source;
  const manifest =
    wanted === digest || !isInRegistry ? top : await retrying(deps, () => skopeo.inspect({ ...reference, source }));
  const blobs = blobsOf(manifest);
  await deps.claim(blobs.map((blob) => blob.digest));
  // Another pull may have brought it while this one waited.
  const brought = store.image(wanted);
  if (brought) return brought;
  const bytes = blobs.reduce((sum, { size }) => sum + size, 0);
  deps.progress(`pulling image ${reference.text}: ${blobs.length - 1} layers, ${Math.ceil(bytes / 2 ** 20)} MiB`);
  const layout = join(folder, "layout");
  const record = await retrying(deps, async () => {
    await skopeo.copy(reference, source, store.blobs, layout);
    return unpackAll(wanted, layout, deps);
  });
  await store.addImage(record);
  return record;
}

function chosen(manifest: Manifest, digest: string, host: Platform): string {
  return manifest.type === "index" ? choosePlatform(manifest, host) : digest;
}

/** Empty if it is a list inside of a layout: what is chosen there is known once it is copied. */
function blobsOf(bytes: Buffer): readonly Blob[] {
  const manifest = understand(() => parseManifest(bytes.toString("utf8")));
  return manifest.type === "image" ? [manifest.config, ...manifest.layers] : [];
}

async function unpackAll(digest: string, layout: string, deps: PullDeps): Promise<ImageRecord> {
  const { store, host, signal } = deps;
  const { manifests } = JSON.parse(await fs.readFile(join(layout, "index.json"), "utf8")) as {
    manifests: readonly { readonly digest: string }[];
  };
  // Its digest may be another than the registry's: what is written in Docker's format is copied into that of OCI.
  const own = await readChecked(store, manifests[0]?.digest ?? "");
  const manifest = understand(() => parseManifest(own));
  if (manifest.type !== "image") throw new PullFailure("it is a list of images in a list");
  const text = await readChecked(store, manifest.config.digest);
  const { config, diffIds, platform } = understand(() => parseImageConfig(text));
  if (!runsOn(platform, host)) throw new PullFailure(wrongPlatform(host, [platform]));
  if (diffIds.length !== manifest.layers.length)
    throw new PullFailure(`its manifest has ${manifest.layers.length} layers, its configuration ${diffIds.length}`);
  await deps.claim(diffIds);
  for (const [at, diffId] of diffIds.entries()) {
    if (store.hasLayer(diffId)) continue;
    const { digest: blobDigest } = manifest.layers[at] as Blob;
    const folder = store.newMoment();
    await fs.mkdir(join(folder, "fs"), { recursive: true, mode: 0o755 });
    try {
      const question = { blob: store.blobPath(blobDigest), blobDigest, diffId, folder: join(folder, "fs"), signal };
      await store.addLayer(diffId, folder, await unpackLayer(question));
    } catch (error) {
      await fs.rm(folder, { recursive: true, force: true });
      // Whatever it is, it is not what its name says, or of no use.
      if (error instanceof PullFailure) await store.removeBlob(blobDigest);
      throw error;
    }
  }
  return { digest, config, layers: diffIds };
}

async function readChecked(store: ImageStore, digest: string): Promise<string> {
  const path = store.blobPath(digest);
  const { size } = await fs.stat(path);
  if (size > manifestBytesMax) throw new PullFailure(`blob ${digest} has more than ${manifestBytesMax} bytes`);
  const bytes = await fs.readFile(path);
  if (digestOf(bytes) === digest) return bytes.toString("utf8");
  await store.removeBlob(digest);
  throw new PullFailure(`blob ${digest} has the digest ${digestOf(bytes)} instead`, true);
}

export async function retrying<T>(
  { pause, failed, signal }: Pick<PullDeps, "pause" | "failed" | "signal">,
  act: () => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof PullFailure) || !error.isTransient || tries >= triesMax) throw error;
      failed(error);
      await pause(retryDelayMs * 2 ** (tries - 1));
      signal.throwIfAborted();
    }
  }
}

function understand<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new PullFailure((error as Error).message);
  }
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
