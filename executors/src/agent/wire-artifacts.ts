import { artifactModes, artifactOptions, sourceLengthMax } from "@muster/foundation";
import type { Artifact } from "@muster/proto";

/** Artifacts of one task. */
export const artifactsMax = 64;
/** Header lines of one artifact. */
export const headersMax = 64;

export function copyArtifact(artifact: Artifact): Artifact {
  const { source, destination, options, headers, mode, insecure, chown } = artifact;
  return { source, destination, options: { ...options }, headers: { ...headers }, mode, insecure, chown };
}

/** What is wrong with artifacts whatever their references turn out to be; the rest is looked at when these are known. */
export function problemOfArtifacts(artifacts: readonly Artifact[]): string {
  if (artifacts.length > artifactsMax) return `spec.artifacts: more than ${artifactsMax}`;
  for (const [at, { source, destination, options, headers, mode }] of artifacts.entries()) {
    const field = `spec.artifacts[${at}]`;
    if (source === "" || source.length > sourceLengthMax)
      return `${field}.source: must be 1 to ${sourceLengthMax} characters`;
    if (destination.length > sourceLengthMax) return `${field}.destination: more than ${sourceLengthMax} characters`;
    if (mode !== "" && !artifactModes.some((known) => known === mode))
      return `${field}.mode: "${mode}" is none of ${artifactModes.join(", ")}`;
    const unknown = Object.keys(options).find((name) => !artifactOptions.some((known) => known === name));
    if (unknown !== undefined)
      return `${field}.options: "${unknown}" is not known; known are ${artifactOptions.join(", ")}`;
    if (Object.keys(headers).length > headersMax) return `${field}.headers: more than ${headersMax}`;
    if ([source, destination, ...Object.values(options), ...Object.values(headers)].some((text) => text.includes("\0")))
      return `${field}: holds a zero byte`;
  }
  return "";
}
