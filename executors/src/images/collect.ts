import { promises as fs } from "node:fs";
import type { Claims } from "./claims.ts";
import type { ImageStore } from "./image-store.ts";
import { planCollection } from "./plan-collection.ts";

/** Makes room on a disk that is nearly full; gives what has gone, undefined if nothing had to. */
export async function collect(
  store: ImageStore,
  claims: Claims,
): Promise<{ readonly images: number; readonly layers: number; readonly blobs: number } | undefined> {
  const { blocks, bavail, bfree, bsize } = await fs.statfs(store.folder);
  // What only root may fill counts neither as free nor as there.
  const disk = { totalBytes: (blocks - bfree + bavail) * bsize, freeBytes: bavail * bsize };
  const stored = await store.stored();
  const { images, layers, blobs } = planCollection(disk, stored, {
    images: store.imagesInUse(),
    digests: claims.held(),
  });
  if (images.length + layers.length + blobs.length === 0) return undefined;
  // Between the plan and these two nothing is awaited: whoever wants one of them now finds it gone, or waits.
  const claim = claims.open();
  const claimed = claim.take([...layers, ...blobs], AbortSignal.timeout(claimTimeoutMs));
  const forgotten = images.map((digest) => store.removeImage(digest));
  try {
    await claimed;
    await Promise.all(forgotten);
    for (const id of layers) await store.removeLayer(id);
    for (const digest of blobs) await store.removeBlob(digest);
  } finally {
    claim.release();
  }
  return { images: images.length, layers: layers.length, blobs: blobs.length };
}

/** Nobody holds what was planned to go: it is never waited for. */
const claimTimeoutMs = 60_000;
