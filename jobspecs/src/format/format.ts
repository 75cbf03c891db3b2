import { parse } from "../syntax/parse.ts";
import { Report, Source } from "../syntax/source.ts";
import { type TokenKind, token } from "../syntax/tokens.ts";
import { type Atom, atomLines } from "./atoms.ts";
import { joinAtoms } from "./spacing.ts";

// Beside the formatter, so that who formats need not load what evaluates jobs.
export { validateSource } from "../syntax/validate-source.ts";

interface Line {
  readonly indent: number;
  /** The whole line, or its part before an aligned "=". */
  readonly head: string;
  /** From the "=" on; present where the value ends on this line. */
  readonly assigned: string | undefined;
  readonly comment: string | undefined;
}

/**
 * One layout for all: two blanks per level, aligned "=" and comments in runs, single blanks between. Changes nothing but
 * blanks: comments, blank lines and the insides of texts stay. A text with grammar errors comes back as it is. Idempotent.
 */
export function formatSource(text: string): string {
  const report = new Report();
  parse(new Source("", text), report);
  if (report.errorCount > 0) return text;
  const lines = layOut(atomLines(text.startsWith("\ufeff") ? text.slice(1) : text));
  const made = `${print(lines)}\n`;
  // A formatter that could change the meaning would be worse than none.
  return hasSameAtoms(text, made) ? made : text;
}

function hasSameAtoms(before: string, after: string): boolean {
  const flat = (text: string): string[] =>
    atomLines(text).flatMap((line) => line.map((atom) => `${atom.kind}${atom.text.trimEnd()}`));
  const a = flat(before);
  const b = flat(after);
  return a.length === b.length && a.every((atom, index) => atom === b[index]);
}

function layOut(atoms: readonly (readonly Atom[])[]): Line[] {
  /** Brackets opened per line that opened any: one level of indentation each, however many brackets. */
  const levels: number[] = [];
  return atoms.map((line) => {
    const leading = line.findIndex((atom) => !isCloser(atom.kind));
    const closedFirst = leading < 0 ? line.length : leading;
    for (let count = 0; count < closedFirst; count++) closeOne(levels);
    const indent = levels.length;
    let opened = 0;
    for (const atom of line.slice(closedFirst)) {
      if (isOpener(atom.kind)) opened++;
      else if (isCloser(atom.kind)) {
        if (opened > 0) opened--;
        else closeOne(levels);
      }
    }
    if (opened > 0) levels.push(opened);
    return split(line, indent, opened > 0);
  });
}

function closeOne(levels: number[]): void {
  const top = levels.pop();
  if (top !== undefined && top > 1) levels.push(top - 1);
}

function isOpener(kind: TokenKind): boolean {
  return kind === token.openBrace || kind === token.openBracket || kind === token.openParen;
}

function isCloser(kind: TokenKind): boolean {
  return kind === token.closeBrace || kind === token.closeBracket || kind === token.closeParen;
}

function split(line: readonly Atom[], indent: number, staysOpen: boolean): Line {
  const last = line.at(-1);
  const hasComment = line.length > 1 && last?.kind === token.comment && !last.text.includes("\n");
  const atoms = hasComment ? line.slice(0, -1) : line;
  const comment = hasComment ? last.text.trimEnd() : undefined;
  const isMultiline = staysOpen || atoms.some((atom) => atom.text.includes("\n"));
  const first = atoms[0]?.kind;
  const isNamed = first === token.identifier || first === token.openQuote;
  if (isNamed && atoms[1]?.kind === token.equal && !isMultiline) {
    return { indent, head: atoms[0]?.text ?? "", assigned: joinAtoms(atoms.slice(1)), comment };
  }
  const head = joinAtoms(atoms);
  return {
    indent,
    head: last?.kind === token.comment && !hasComment ? head.trimEnd() : head,
    assigned: undefined,
    comment,
  };
}

function print(lines: readonly Line[]): string {
  const withValues = align(
    lines,
    (line) => (line.assigned === undefined ? undefined : line.head.length),
    (line, width) => (line.assigned === undefined ? line.head : `${line.head.padEnd(width)} ${line.assigned}`),
  );
  const indented = lines.map((line, index) => {
    const text = withValues[index] ?? "";
    return { text: text === "" ? "" : "  ".repeat(line.indent) + text, comment: line.comment };
  });
  const printed = align(
    indented,
    (line) => (line.comment === undefined ? undefined : line.text.length),
    (line, width) => (line.comment === undefined ? line.text : `${line.text.padEnd(width)} ${line.comment}`),
  );
  while (printed.length > 1 && printed.at(-1) === "") printed.pop();
  return printed.join("\n");
}

/** Prints lines; neighbours that have a width are given the largest of their run. */
function align<T>(
  lines: readonly T[],
  widthOf: (line: T) => number | undefined,
  printLine: (line: T, width: number) => string,
): string[] {
  const printed: string[] = [];
  for (let at = 0; at < lines.length; ) {
    let end = at;
    let width = 0;
    for (; end < lines.length; end++) {
      const line = lines[end];
      const own = line === undefined ? undefined : widthOf(line);
      if (own === undefined) break;
      width = Math.max(width, own);
    }
    if (end === at) end++;
    for (const line of lines.slice(at, end)) printed.push(printLine(line, width));
    at = end;
  }
  return printed;
}
