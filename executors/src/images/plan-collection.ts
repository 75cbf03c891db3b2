/** Above this part of the disk in use, images that nobody uses go, the longest unused first, … */
export const diskFractionMax = 0.85;
/** … until no more than this part is in use. */
export const diskFractionGoal = 0.7;

export interface StoredImage {
  /** Of its manifest. */
  readonly digest: string;
  /** Milliseconds since the epoch. */
  readonly usedAt: number;
  /** Layers by their digests when unpacked. */
  readonly layers: readonly string[];
}

export interface StoredThings {
  readonly images: readonly StoredImage[];
  /** Bytes of unpacked layers, by digest. */
  readonly layers: ReadonlyMap<string, number>;
  /** Bytes of what was fetched, by digest. Once unpacked it only spares a later fetch of the same. */
  readonly blobs: ReadonlyMap<string, number>;
}

export interface InUse {
  /** Images of tasks that run, or may. */
  readonly images: ReadonlySet<string>;
  /** Layers and blobs of pulls that are under way. */
  readonly digests: ReadonlySet<string>;
}

export interface Collection {
  readonly images: readonly string[];
  readonly layers: readonly string[];
  readonly blobs: readonly string[];
}

/**
 * What is to go so that the disk has room again: what was fetched and is unpacked, layers that no image has, then images.
 * Nothing that is in use goes, however full the disk. Pure.
 */
export function planCollection(
  disk: { readonly totalBytes: number; readonly freeBytes: number },
  stored: StoredThings,
  inUse: InUse,
): Collection {
  const used = disk.totalBytes - disk.freeBytes;
  if (used <= disk.totalBytes * diskFractionMax) return { images: [], layers: [], blobs: [] };
  let surplus = used - disk.totalBytes * diskFractionGoal;
  const gone = { images: [] as string[], layers: new Set<string>(), blobs: [] as string[] };
  const holders = new Map<string, number>();
  for (const { layers } of stored.images) for (const id of layers) holders.set(id, (holders.get(id) ?? 0) + 1);
  const drop = (id: string): void => {
    if (gone.layers.has(id) || inUse.digests.has(id) || !stored.layers.has(id)) return;
    gone.layers.add(id);
    surplus -= stored.layers.get(id) ?? 0;
  };
  for (const [digest, bytes] of stored.blobs) {
    if (inUse.digests.has(digest)) continue;
    gone.blobs.push(digest);
    surplus -= bytes;
  }
  for (const id of stored.layers.keys()) if (!holders.has(id)) drop(id);
  const unused = stored.images.filter(({ digest }) => !inUse.images.has(digest));
  for (const image of [...unused].sort((a, b) => a.usedAt - b.usedAt)) {
    if (surplus <= 0) break;
    if (image.layers.some((id) => inUse.digests.has(id))) continue;
    gone.images.push(image.digest);
    for (const id of image.layers) {
      const left = (holders.get(id) ?? 1) - 1;
      holders.set(id, left);
      if (left === 0) drop(id);
    }
  }
  return { images: gone.images, layers: [...gone.layers], blobs: gone.blobs };
}
