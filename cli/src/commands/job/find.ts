import { suggest } from "@muster/foundation";
import type { JobStatus } from "@muster/proto";
import { CliError, toCliError } from "../../cli-error.ts";
import { type Client, message } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";

/** Names of matches that are told at most. */
const matchesShownMax = 8;

/** The job of that name, or the only one whose name begins so. */
export async function findJob(client: Client, name: string): Promise<JobStatus> {
  try {
    const { job } = await client.call("Jobs.Get", message("JobsGetRequest", { name }));
    if (job) return job;
  } catch (error) {
    if (toCliError(error).kind !== "not-found") throw error;
  }
  const { jobs } = await client.call("Jobs.List", message("JobsListRequest"));
  // Who begins the name of a parameterized job does not mean one of its dispatches.
  const names = jobs.filter(({ parent }) => parent === "" || name.startsWith(parent)).map((job) => job.name);
  const found = uniquePrefix("job", name, names, "muster job list");
  const { job } = await client.call("Jobs.Get", message("JobsGetRequest", { name: found }));
  if (!job) throw noSuch("job", name, names, "muster job list");
  return job;
}

/** The only one of `names` that is `given` or begins so; else an error that tells what there is. */
export function uniquePrefix(kind: string, given: string, names: readonly string[], listing: string): string {
  if (names.includes(given)) return given;
  const matches = names.filter((name) => name.startsWith(given));
  if (matches.length === 1 && matches[0] !== undefined) return matches[0];
  if (matches.length === 0) throw noSuch(kind, given, names, listing);
  const shown = matches.slice(0, matchesShownMax).join(", ");
  const more = matches.length > matchesShownMax ? ` and ${matches.length - matchesShownMax} more` : "";
  throw new CliError(exitCode.failed, `${given} begins the name of several: ${shown}${more}`, { kind: "ambiguous" });
}

function noSuch(kind: string, given: string, names: readonly string[], listing: string): CliError {
  const meant = suggest(given, names);
  const guess = meant === undefined ? "" : ` Did you mean ${meant}?`;
  return new CliError(exitCode.failed, `no ${kind} ${given}.${guess}`, { kind: "not-found", hint: listing });
}
