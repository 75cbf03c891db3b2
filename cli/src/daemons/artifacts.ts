import { isIP } from "node:net";
import { isAbsolute } from "node:path";
import type { ArtifactSettings } from "@muster/executors";
import { usageError } from "../cli-error.ts";

const bytesOfMiB = 1024 * 1024;

/** What an agent's settings say of artifacts. */
export interface ArtifactTexts {
  readonly artifactFolders: string;
  readonly artifactNetworks: string;
  readonly artifactDownloadMiBMax: number;
  readonly artifactUnpackedMiBMax: number;
  readonly artifactFilesMax: number;
  readonly artifactTimeoutMs: number;
  readonly artifactParallelMax: number;
  readonly artifactCacheMiB: number;
}

/** Reads what artifacts may come from, and take. A slip ends the start of the agent. */
export function artifactSettings(settings: ArtifactTexts): ArtifactSettings {
  const folders = settings.artifactFolders.split(":").filter((folder) => folder !== "");
  const relative = folders.find((folder) => !isAbsolute(folder));
  if (relative !== undefined) throw usageError(`--artifact-folders: "${relative}" is no absolute path`);
  return {
    folders,
    allowedNetworks: settings.artifactNetworks
      .split(",")
      .filter((text) => text !== "")
      .map(networkOf),
    limits: {
      downloadBytesMax: settings.artifactDownloadMiBMax * bytesOfMiB,
      unpackedBytesMax: settings.artifactUnpackedMiBMax * bytesOfMiB,
      unpackedFilesMax: settings.artifactFilesMax,
      timeoutMs: settings.artifactTimeoutMs,
      parallelMax: settings.artifactParallelMax,
      cacheBytesMax: settings.artifactCacheMiB * bytesOfMiB,
    },
  };
}

function networkOf(text: string): string {
  const [address = "", bits, more] = text.trim().split("/");
  const family = isIP(address);
  const width = family === 6 ? 128 : 32;
  const isRight =
    family !== 0 && more === undefined && (bits === undefined || (/^\d+$/.test(bits) && Number(bits) <= width));
  if (isRight) return `${address}/${bits ?? width}`;
  throw usageError(
    `--artifact-networks: "${text}" is no network`,
    "for instance --artifact-networks 127.0.0.0/8,fd00::/8",
  );
}
