/** Where things stand below a cluster's root. Entries of the store have a part of their own. */
export interface Layout {
  /** Before the key of an entry. */
  readonly data: string;
  /** Before the id of a candidate's lease; who has the lowest creation revision leads. */
  readonly leaders: string;
  /** Counts the reigns. */
  readonly epoch: string;
}

export function layoutOf(root: string): Layout {
  return { data: `${root}data/`, leaders: `${root}leader/`, epoch: `${root}epoch` };
}

/** The first key after all that begin with `prefix`. */
export function prefixEnd(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  for (let at = end.length - 1; at >= 0; at--) {
    const byte = end[at] ?? 0;
    if (byte === 0xff) continue;
    end[at] = byte + 1;
    return end.subarray(0, at + 1);
  }
  // Of nothing but 255: etcd takes a single zero for "to the end".
  return Buffer.from([0]);
}
