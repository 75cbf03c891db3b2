import type { DecodedBlock } from "./decoded.ts";

/** `env` of a job, group or task. */
export function buildEnvironment(block: DecodedBlock): Readonly<Record<string, string>> {
  const env = block.textMap("env");
  for (const name of Object.keys(env)) {
    if (name === "" || name.includes("=") || name.includes("\0")) {
      block.error("env", { code: "job/bad-env", summary: `"${name}" can't be the name of an environment variable` });
    }
  }
  return env;
}
