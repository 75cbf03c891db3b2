export interface KeptDownload {
  readonly name: string;
  readonly bytes: number;
  /** Milliseconds since the epoch. */
  readonly usedAtMs: number;
}

/** What is to go so that no more bytes are kept than that: what was not wanted for the longest time. Pure. O(n log n). */
export function planEviction(kept: readonly KeptDownload[], bytesMax: number): string[] {
  let bytes = kept.reduce((total, one) => total + one.bytes, 0);
  const gone: string[] = [];
  for (const one of [...kept].sort((a, b) => a.usedAtMs - b.usedAtMs || (a.name < b.name ? -1 : 1))) {
    if (bytes <= bytesMax) break;
    gone.push(one.name);
    bytes -= one.bytes;
  }
  return gone;
}
