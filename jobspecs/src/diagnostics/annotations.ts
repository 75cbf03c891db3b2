import type { Diagnostic } from "./diagnostic.ts";

/** Lines that GitHub shows beside the changed lines of a pull request. Ends with a line break, unless there is none. */
export function renderAnnotations(diagnostics: readonly Diagnostic[]): string {
  return diagnostics
    .map((one) => {
      const message = [one.summary, one.hint, one.detail]
        .filter((text) => text !== undefined && text !== "")
        .concat((one.related ?? []).map((place) => `${place.file}:${place.line}:${place.column}: ${place.summary}`))
        .join("\n");
      const places = {
        file: one.file,
        line: one.line,
        endLine: one.endLine,
        col: one.column,
        // The column of the last sign, where the place is on one line; GitHub takes none over several.
        ...(one.line === one.endLine ? { endColumn: Math.max(one.column, one.endColumn - 1) } : {}),
        title: one.code,
      };
      const properties = Object.entries(places).map(([name, value]) => `${name}=${escapedProperty(String(value))}`);
      return `::${one.severity} ${properties.join(",")}::${escapedText(message)}\n`;
    })
    .join("");
}

const escapedText = (text: string): string =>
  text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");

const escapedProperty = (text: string): string => escapedText(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
