import { fileURLToPath } from "node:url";

/** Where the .proto files are; imports within them begin with "muster/v1/". */
export const protoDirectory: string = fileURLToPath(new URL("../", import.meta.url));

/** Every file of the contract, relative to `protoDirectory`. */
export const protoFiles: readonly string[] = [
  "agents",
  "catalog",
  "executors",
  "jobs",
  "operator",
  "overlay",
  "resources",
  "scheduling",
  "spec",
  "state",
  "task",
  "tasks",
  "watch",
].map((name) => `muster/v1/${name}.proto`);

/**
 * How messages look in JavaScript. The generated types say the same, so the two may only change together.
 * Enumerations stay numbers: both codecs then yield one shape, and a comparison costs no string.
 */
export const loaderOptions = {
  keepCase: false,
  longs: Number,
  defaults: true,
  oneofs: true,
  includeDirs: [protoDirectory],
} as const;
