import type { Span } from "../diagnostics/diagnostic.ts";
import type { Cursor } from "./cursor.ts";
import { countGraphemes } from "./source.ts";
import type { Expression } from "./tree.ts";

/** One step of a template before `if` and `for` are folded into trees. */
export type FlatPart = FlatText | FlatIf | FlatFor | FlatOther;

export interface FlatText extends Span {
  kind: "text";
  text: string;
}

export interface FlatIf extends Span {
  readonly kind: "if";
  readonly condition: Expression;
}

export interface FlatFor extends Span {
  readonly kind: "for";
  readonly keyName?: string;
  readonly valueName: string;
  readonly collection: Expression;
}

type FlatOther =
  | (Span & { readonly kind: "interpolation"; readonly expression: Expression })
  | (Span & { readonly kind: "else" | "endif" | "endfor" });

const simpleEscapes: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ['"', '"'],
  ["\\", "\\"],
]);

/** Literal text as written -> as meant: backslash escapes (quoted form only), and `$${`, `%%{` in both forms. */
export function resolveEscapes(cursor: Cursor, raw: string, span: Span, isHeredoc: boolean): string {
  const unescaped = isHeredoc || !raw.includes("\\") ? raw : resolveBackslashes(cursor, raw, span);
  const text = unescaped.includes("{") ? unescapeSequences(raw, unescaped) : unescaped;
  // Texts that look the same are the same: HCL's are composed.
  return beyondLatin.test(text) ? text.normalize("NFC") : text;
}

/** Where nothing of it is in a text, the text is composed already. */
const beyondLatin = /[\u0300-\uffff]/;

/** A sign doubled before `{` loses one; runs longer than two lose one as well. */
function unescapeSequences(raw: string, text: string): string {
  if (!raw.includes("$${") && !raw.includes("%%{")) return text;
  return text.replaceAll("$${", "${").replaceAll("%%{", "%{");
}

function resolveBackslashes(cursor: Cursor, raw: string, span: Span): string {
  const pieces: string[] = [];
  let from = 0;
  for (let at = raw.indexOf("\\"); at >= 0; at = raw.indexOf("\\", from)) {
    pieces.push(raw.slice(from, at));
    const sign = raw[at + 1] ?? "";
    const simple = simpleEscapes.get(sign);
    if (simple !== undefined) {
      pieces.push(simple);
      from = at + 2;
      continue;
    }
    const length = sign === "u" ? 4 : sign === "U" ? 8 : 0;
    const digits = raw.slice(at + 2, at + 2 + length);
    const point = length > 0 && digits.length === length && isHex(digits) ? Number.parseInt(digits, 16) : -1;
    if (point < 0 || point > 0x10ffff) {
      cursor.fail(
        { start: span.start + at, end: span.start + Math.min(raw.length, at + 2 + length) },
        {
          code: "syntax/bad-escape",
          summary: `"\\${sign}" is no escape`,
          detail: 'Known are \\n \\r \\t \\" \\\\ \\uXXXX \\UXXXXXXXX.',
          hint: "write \\\\ for a backslash",
        },
      );
    }
    pieces.push(point >= 0xd800 && point <= 0xdfff ? "\ufffd" : String.fromCodePoint(point));
    from = at + 2 + length;
  }
  pieces.push(raw.slice(from));
  return pieces.join("");
}

function isHex(digits: string): boolean {
  for (let index = 0; index < digits.length; index++) {
    const code = digits.charCodeAt(index) | 32;
    if (!((code >= 48 && code <= 57) || (code >= 97 && code <= 102))) return false;
  }
  return true;
}

/** `<<-`: takes the common indentation off all lines. Lines of blanks alone do not count, and keep their blanks. */
export function removeIndentation(parts: FlatPart[]): void {
  let common = Number.POSITIVE_INFINITY;
  let lineStart = true;
  const begins: FlatText[] = [];
  for (const part of parts) {
    if (lineStart) {
      lineStart = false;
      common = Math.min(common, indentationOf(part, begins));
    }
    if (part.kind === "text" && part.text.endsWith("\n")) lineStart = true;
  }
  if (!Number.isFinite(common)) return;
  for (const part of begins) part.text = part.text.slice(common);
}

function indentationOf(part: FlatPart, begins: FlatText[]): number {
  if (part.kind !== "text") return 0;
  const trimmed = part.text.trimStart();
  if (trimmed === "" && part.text.endsWith("\n")) return Number.POSITIVE_INFINITY;
  begins.push(part);
  const blanks = part.text.slice(0, part.text.length - trimmed.length);
  return blanks.length === 0 ? 0 : countGraphemes(blanks);
}
