/** What is wrong with a template, where, and, as its hint, what to do. */
export class TemplateFault extends Error {
  /** Place in the template, in characters from 0. */
  readonly start: number;
  readonly end: number;
  readonly hint: string | undefined;

  constructor(message: string, start: number, end: number, hint?: string) {
    super(message);
    this.name = "TemplateFault";
    this.start = start;
    this.end = end;
    this.hint = hint;
  }
}

/** A template that is more than may be evaluated; that does not follow from what is missing. */
export class TemplateLimitFault extends TemplateFault {}

/** Line and column of a place in a text, both from 1. O(place). */
export function placeIn(text: string, at: number): { readonly line: number; readonly column: number } {
  let line = 1;
  let begin = 0;
  for (let next = text.indexOf("\n"); next >= 0 && next < at; next = text.indexOf("\n", begin)) {
    line++;
    begin = next + 1;
  }
  return { line, column: at - begin + 1 };
}

/** A fault as one line for people: "line 3, column 5: …". */
export function faultText(fault: TemplateFault, text: string): string {
  const { line, column } = placeIn(text, fault.start);
  return `line ${line}, column ${column}: ${fault.message}${fault.hint === undefined ? "" : `; ${fault.hint}`}`;
}
