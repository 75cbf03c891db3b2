import type { HiddenAttribute } from "../evaluate/taint.ts";
import { interpolate } from "../job/interpolate.ts";
import { maskText, placesOfTexts } from "../job/sensitive.ts";
import type { Job } from "../job/types.ts";
import type { Report } from "../syntax/source.ts";
import type { Expression } from "../syntax/tree.ts";

/** The job with the places that are to be shown to nobody. What can't be hidden is warned of. O(size of the job). */
export function withHiddenPlaces(job: Job, attributes: readonly HiddenAttribute[], report: Report): Job {
  if (attributes.length === 0) return job;
  const texts = new Set<string>();
  for (const attribute of attributes) for (const text of formsOf(attribute)) texts.add(text);
  const places = placesOfTexts(job, texts);
  for (const attribute of attributes) {
    if (placesOfTexts(job, new Set(formsOf(attribute))).length > 0) continue;
    report.warning(attribute.source, attribute.span, {
      code: "job/sensitive-shown",
      summary: `"${attribute.name}" holds a sensitive value, and is shown`,
      hint: "put it into env, args or a template",
    });
  }
  return places.length > 0 ? { ...job, sensitive: places } : job;
}

/** A template is kept without what marks its ${ } as its own. */
function formsOf({ texts }: HiddenAttribute): string[] {
  return texts.filter((text) => text !== "").flatMap((text) => [text, interpolate(text, () => undefined)]);
}

/** The file as it is kept: without the defaults of sensitive variables. */
export function shownSource(text: string, defaults: readonly Expression[]): string {
  let shown = text;
  for (const { start, end } of [...defaults].sort((one, other) => other.start - one.start))
    shown = `${shown.slice(0, start)}"${maskText}"${shown.slice(end)}`;
  return shown;
}
