/** What fetching may take. Each has a name in the message of whoever exceeds it. */
export interface ArtifactLimits {
  /** Bytes of one download; of a repository, of one file of it. */
  readonly downloadBytesMax: number;
  /** Bytes of files of one artifact, unpacked. */
  readonly unpackedBytesMax: number;
  /** Files, folders and links of one artifact. */
  readonly unpackedFilesMax: number;
  /** All artifacts of a task are there by then, or its start has failed. */
  readonly timeoutMs: number;
  /** Tasks whose artifacts are fetched at once; others wait. */
  readonly parallelMax: number;
  /** Bytes that downloads with a checksum are kept in, for the next task that wants the same; 0: none are. */
  readonly cacheBytesMax: number;
}

export const artifactLimits: ArtifactLimits = {
  downloadBytesMax: 10 * 1024 ** 3,
  unpackedBytesMax: 20 * 1024 ** 3,
  unpackedFilesMax: 200_000,
  timeoutMs: 30 * 60_000,
  parallelMax: 4,
  cacheBytesMax: 2 * 1024 ** 3,
};

/** How a task's artifacts may be fetched on this host. */
export interface ArtifactSettings {
  readonly limits: ArtifactLimits;
  /** Absolute folders of the host below which sources may be files; none: no source may be a file. */
  readonly folders: readonly string[];
  /** Networks, "127.0.0.0/8", that may be asked although they are refused by default. */
  readonly allowedNetworks: readonly string[];
}

export const artifactDefaults: ArtifactSettings = { limits: artifactLimits, folders: [], allowedNetworks: [] };
