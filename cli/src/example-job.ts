import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The job file that `muster dev` runs as a first job, and that `job init` writes under another name. */
export const exampleFile = fileURLToPath(new URL("../examples/hello.hcl", import.meta.resolve("@muster/jobspecs")));

/** The example as a job of that name, which must be fit for a label of DNS. */
export function exampleAs(name: string): string {
  return readFileSync(exampleFile, "utf8").replace("_hello.", `_${name}.`).replace('job "hello"', `job "${name}"`);
}
