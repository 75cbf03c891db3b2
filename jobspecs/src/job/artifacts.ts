import { type ArtifactProblem, readArtifact } from "@muster/foundation";
import type { Artifact } from "./types.ts";

/** What is wrong with an artifact as far as that can be known before its references are filled in; undefined: nothing. */
export function problemOfArtifact(artifact: Artifact): ArtifactProblem | undefined {
  const { source, destination, options, headers } = artifact;
  const names = destination.split("/");
  if (names.includes("..") && !/^\.\.\/alloc(\/|$)/.test(destination))
    return { field: "destination", problem: `"${destination}" leads out of the task's folder` };
  const waits = [source, ...Object.values(options), ...Object.values(headers)].some((text) => text.includes("${"));
  if (waits) return undefined;
  const read = readArtifact(artifact);
  return read.ok ? undefined : read;
}
