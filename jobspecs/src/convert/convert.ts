import { fromMarathon } from "./marathon.ts";
import { fromNomad, isObject, type Loss } from "./nomad.ts";
import { printHcl } from "./print.ts";

export interface ConvertedJob {
  readonly id: string;
  /** A job file. */
  readonly text: string;
  /** What of the source it has not, and why. */
  readonly losses: readonly Loss[];
}

export type Origin = "nomad" | "marathon";

/** Whose job a parsed JSON document is; undefined: nobody's that is known here. */
export function originOf(document: unknown): Origin | undefined {
  if (!isObject(document)) return undefined;
  const job = isObject(document["Job"]) ? document["Job"] : document;
  if (Array.isArray(job["TaskGroups"]) || typeof job["ID"] === "string") return "nomad";
  const isApp = ["cmd", "args", "container", "instances", "apps", "groups"].some((name) => name in document);
  return typeof document["id"] === "string" && isApp ? "marathon" : undefined;
}

/** Job files of a job of Nomad's API, or of an app or group of Marathon's. */
export function convertDocument(document: unknown, origin: Origin): ConvertedJob[] {
  if (!isObject(document)) return [];
  const jobs = origin === "nomad" ? [fromNomad(document)] : fromMarathon(document);
  return jobs.map(({ id, items, losses }) => ({ id, text: printHcl(items), losses }));
}
