import type { ImageConfig } from "../world/images.ts";
import { layersMax, type Platform, parseObject, readPlatform } from "./manifest.ts";

export interface ParsedConfig {
  readonly platform: Platform;
  readonly config: ImageConfig;
  /** Digests of the layers when unpacked, the lowest first. */
  readonly diffIds: readonly string[];
}

/** Words of a command, and variables of an environment. */
const wordsMax = 4_096;

/** Reads the configuration of an image; throws with what is wrong. Pure. */
export function parseImageConfig(text: string): ParsedConfig {
  const fields = parseObject(text, "configuration");
  const { config, rootfs } = fields;
  const run = (typeof config === "object" && config !== null ? config : {}) as Record<string, unknown>;
  const { diff_ids: diffIds = [] } = (typeof rootfs === "object" && rootfs !== null ? rootfs : {}) as {
    diff_ids?: unknown;
  };
  if (!Array.isArray(diffIds) || diffIds.length > layersMax || !diffIds.every(isDigest))
    throw new Error("its configuration has no digests of its layers");
  return {
    platform: readPlatform(fields),
    diffIds,
    config: {
      entrypoint: words(run, "Entrypoint"),
      command: words(run, "Cmd"),
      environment: readEnvironment(words(run, "Env")),
      user: line(run, "User"),
      workFolder: readFolder(line(run, "WorkingDir")),
    },
  };
}

function isDigest(value: unknown): value is string {
  return typeof value === "string" && /^sha256:[0-9a-f]{64}$/.test(value);
}

function words(fields: Record<string, unknown>, name: string): string[] {
  const value = fields[name] ?? [];
  if (!Array.isArray(value) || value.length > wordsMax || !value.every((one) => isText(one)))
    throw new Error(`its configuration has no list of words in ${name}`);
  return value;
}

function line(fields: Record<string, unknown>, name: string): string {
  const value = fields[name] ?? "";
  if (!isText(value)) throw new Error(`its configuration has no text in ${name}`);
  return value;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && !value.includes("\0");
}

function readFolder(path: string): string {
  if (path !== "" && !path.startsWith("/")) return `/${path}`;
  return path;
}

function readEnvironment(pairs: readonly string[]): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const pair of pairs) {
    const equals = pair.indexOf("=");
    if (equals > 0) environment[pair.slice(0, equals)] = pair.slice(equals + 1);
  }
  return environment;
}
