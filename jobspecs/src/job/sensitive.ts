import { JobInvalid } from "./reader.ts";
import type { Job } from "./types.ts";

/** What stands in place of a value that is shown to nobody. */
export const maskText = "(sensitive)";
/** The same in a plan, where it is another than before. */
export const maskTextChanged = "(sensitive, another value)";

/** Places of one job. */
export const sensitivePlacesMax = 10_000;

type Place = readonly (string | number)[];

/**
 * Texts that only tasks and their agents need to see: environment, command, templates, credentials, checks, meta. What else a
 * job says is about it, and is shown.
 */
const maskable: readonly RegExp[] = [
  /^meta\/[^/]+$/,
  /^groups\/\d+\/meta\/[^/]+$/,
  /^groups\/\d+\/tasks\/\d+\/(env|meta)\/[^/]+$/,
  /^groups\/\d+\/tasks\/\d+\/config\/(command|args\/\d+|image\/(name|entrypoint\/\d+|auth\/(username|password)))$/,
  /^groups\/\d+\/tasks\/\d+\/templates\/\d+\/(text|script\/(command|args\/\d+))$/,
  /^groups\/\d+\/(tasks\/\d+\/)?services\/\d+\/checks\/\d+\/(body|path|command|args\/\d+|headers\/[^/]+\/\d+)$/,
];

/** Places, as "groups/0/tasks/0/env/PASSWORD", at which one of these texts stands and can be masked. O(size of the job). */
export function placesOfTexts(job: Job, texts: ReadonlySet<string>): string[] {
  const places: string[] = [];
  if (texts.size === 0) return places;
  const visit = (value: unknown, place: Place): void => {
    if (typeof value === "object" && value !== null) {
      for (const [key, item] of Object.entries(value)) visit(item, [...place, encoded(key)]);
      return;
    }
    const path = place.join("/");
    if (typeof value === "string" && texts.has(value) && maskable.some((form) => form.test(path))) places.push(path);
  };
  visit(job, []);
  return places;
}

/** A place that leads to no text that can be masked is refused: it would hide nothing. */
export function checkSensitivePlaces(job: Job): void {
  for (const [index, path] of (job.sensitive ?? []).entries()) {
    const isText = maskable.some((form) => form.test(path)) && typeof valueAt(job, path) === "string";
    if (!isText) throw new JobInvalid(`sensitive[${index}]`, `"${path}" leads to no text that can be hidden`);
  }
}

/** The job as it is shown. O(size of the job), if anything is hidden. */
export function maskedJob(job: Job, before?: Job): Job {
  const { sensitive = [] } = job;
  if (sensitive.length === 0) return job;
  const made = structuredClone(job);
  for (const path of sensitive) {
    const old = before && valueAt(before, path);
    const isOther = typeof old === "string" && old !== valueAt(job, path);
    replaceAt(made, path, isOther ? maskTextChanged : maskText);
  }
  return made;
}

/** Two versions of a job to be compared and shown: of what is hidden it can be seen whether it is another. */
export function comparableJobs(before: Job, after: Job): readonly [before: Job, after: Job] {
  const { sensitive: _before, ...left } = maskedJob(before);
  const { sensitive: _after, ...right } = maskedJob(after, before);
  return [left, right];
}

/** The definition as it is shown: JSON of a job that was checked. */
export function maskedDefinition(definition: string): string {
  // Most hide nothing.
  if (!definition.includes('"sensitive":[')) return definition;
  return JSON.stringify(maskedJob(JSON.parse(definition) as Job));
}

/** A slash in a key is none between two. */
function encoded(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

function keysOf(path: string): string[] {
  return path.split("/").map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function valueAt(job: Job, path: string): unknown {
  let value: unknown = job;
  for (const key of keysOf(path)) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

function replaceAt(job: Job, path: string, text: string): void {
  const keys = keysOf(path);
  const last = keys.pop() ?? "";
  let value: unknown = job;
  for (const key of keys) value = (value as Record<string, unknown>)[key];
  (value as Record<string, unknown>)[last] = text;
}
