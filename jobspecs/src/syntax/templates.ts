import type { Span } from "../diagnostics/diagnostic.ts";
import type { Cursor } from "./cursor.ts";
import { type FlatFor, type FlatIf, type FlatPart, removeIndentation, resolveEscapes } from "./literals.ts";
import { parseLoopHead } from "./loop-head.ts";
import { type TokenKind, token } from "./tokens.ts";
import type { Expression, Label, Template, TemplatePart } from "./tree.ts";

/** How the expressions inside a template are read. */
export type ReadExpression = (cursor: Cursor) => Expression;

/** Reads `"..."` or a heredoc. */
export function parseTemplate(cursor: Cursor, read: ReadExpression): Template {
  const isHeredoc = cursor.peek() === token.openHeredoc;
  const opening = cursor.text;
  const open = cursor.take();
  const parts = parseFlatParts(cursor, isHeredoc ? token.closeHeredoc : token.closeQuote, open, read);
  if (opening.startsWith("<<-")) removeIndentation(parts);
  const folded = fold(cursor, parts);
  const end = cursor.take().end;
  return { kind: "template", form: isHeredoc ? "heredoc" : "quoted", start: open.start, end, parts: folded };
}

/** Reads a template that is the whole text. */
export function parseWholeTemplate(cursor: Cursor, read: ReadExpression): TemplatePart[] {
  return fold(cursor, parseFlatParts(cursor, token.eof, cursor.span, read));
}

/** Reads a quoted label: text without `${`. */
export function parseLabelText(cursor: Cursor): Label {
  const open = cursor.take();
  let text = "";
  while (cursor.peek() === token.quotedText) {
    const raw = cursor.text;
    text += resolveEscapes(cursor, raw, cursor.take(), false);
  }
  const kind = cursor.peek();
  if (kind === token.interpolation || kind === token.control)
    cursor.fail(cursor.span, {
      code: "syntax/label-template",
      summary: "a label is plain text, without templates",
      hint: "a dynamic block can compute labels",
    });
  if (kind !== token.closeQuote) failUnclosed(cursor, open, false);
  return { text, start: open.start, end: cursor.take().end };
}

/** Leaves the cursor on `close`: the quote, the marker or the end of the file. */
function parseFlatParts(cursor: Cursor, close: TokenKind, open: Span, read: ReadExpression): FlatPart[] {
  const isHeredoc = close !== token.closeQuote;
  const parts: FlatPart[] = [];
  let trimsNext = false;
  for (;;) {
    const kind = cursor.peek();
    if (kind === close) return parts;
    if (kind === token.quotedText || kind === token.heredocText) {
      const raw = cursor.text;
      const span = cursor.take();
      let text = resolveEscapes(cursor, raw, span, isHeredoc);
      if (trimsNext) text = text.trimStart();
      if (opensWithTrim(cursor)) text = text.trimEnd();
      parts.push({ kind: "text", text, ...span });
      trimsNext = false;
    } else if (kind === token.interpolation || kind === token.control) {
      const { part, trims } = parseSequence(cursor, kind === token.control, read);
      parts.push(part);
      trimsNext = trims;
    } else failUnclosed(cursor, open, isHeredoc);
  }
}

function failUnclosed(cursor: Cursor, open: Span, isHeredoc: boolean): never {
  return cursor.fail(cursor.span, {
    code: isHeredoc ? "syntax/unclosed-heredoc" : "syntax/unclosed-string",
    summary: isHeredoc ? "the heredoc is not closed" : "the text is not closed on its line",
    hint: isHeredoc
      ? "its end marker stands alone on a line of its own, with a line break after it"
      : 'close it with ", or use a heredoc (<<EOF) for several lines',
    related: { source: cursor.source, span: open, summary: "opened here" },
  });
}

function opensWithTrim(cursor: Cursor): boolean {
  const kind = cursor.peek();
  return (kind === token.interpolation || kind === token.control) && cursor.end - cursor.start === 3;
}

function parseSequence(cursor: Cursor, isControl: boolean, read: ReadExpression): { part: FlatPart; trims: boolean } {
  const open = cursor.take();
  return cursor.withNewlines(false, () => {
    const part = isControl ? parseControl(cursor, open, read) : parseInterpolation(cursor, open, read);
    if (cursor.peek() !== token.sequenceEnd) {
      cursor.fail(cursor.span, {
        code: "syntax/unclosed-template",
        summary: `expected "}" at the end of the template sequence, found "${cursor.text}"`,
        related: { source: cursor.source, span: open, summary: "opened here" },
        hint: isControl ? undefined : "write $${ for a plain ${ in the text",
      });
    }
    const end = cursor.span;
    const trims = end.end - end.start === 2;
    // What follows is literal text, never spaces or comments: the closing brace is taken last.
    cursor.take();
    return { part: { ...part, end: end.end }, trims };
  });
}

function parseInterpolation(cursor: Cursor, open: Span, read: ReadExpression): FlatPart {
  if (cursor.peek() === token.sequenceEnd) {
    cursor.fail(cursor.span, {
      code: "syntax/empty-template",
      summary: "nothing between the braces of the template",
      hint: "write $${ for a plain ${",
    });
  }
  return { kind: "interpolation", expression: read(cursor), ...open };
}

function parseControl(cursor: Cursor, open: Span, read: ReadExpression): FlatPart {
  const word = cursor.peek() === token.identifier ? cursor.text : "";
  if (word === "if") {
    cursor.take();
    return { kind: "if", condition: read(cursor), ...open };
  }
  if (word === "else" || word === "endif" || word === "endfor") {
    cursor.take();
    return { kind: word, ...open };
  }
  if (word === "for") return parseForControl(cursor, open, read);
  return cursor.fail(cursor.span, {
    code: "syntax/unknown-control",
    summary: `expected if, else, endif, for or endfor after %{, found "${cursor.text}"`,
    hint: "write %%{ for a plain %{ in the text",
  });
}

function parseForControl(cursor: Cursor, open: Span, read: ReadExpression): FlatPart {
  const { names, collection } = parseLoopHead(cursor, read);
  return {
    kind: "for",
    ...names,
    collection,
    ...open,
  };
}

interface Walk {
  readonly cursor: Cursor;
  readonly parts: readonly FlatPart[];
  at: number;
}

function fold(cursor: Cursor, parts: readonly FlatPart[]): TemplatePart[] {
  const walk: Walk = { cursor, parts, at: 0 };
  const tree = foldUntil(walk);
  const rest = parts[walk.at];
  if (rest) {
    cursor.fail(rest, { code: "syntax/stray-control", summary: `%{ ${rest.kind} } without its beginning` });
  }
  return tree;
}

/** Stops at a closing word, without taking it. */
function foldUntil(walk: Walk): TemplatePart[] {
  const tree: TemplatePart[] = [];
  for (;;) {
    const part = walk.parts[walk.at];
    if (!part) return tree;
    if (part.kind === "if") {
      walk.at++;
      tree.push(walk.cursor.nested(() => foldIf(walk, part)));
    } else if (part.kind === "for") {
      walk.at++;
      tree.push(walk.cursor.nested(() => foldFor(walk, part)));
    } else if (part.kind === "text" || part.kind === "interpolation") {
      walk.at++;
      tree.push(part);
    } else return tree;
  }
}

function foldIf(walk: Walk, part: FlatIf): TemplatePart {
  const then = foldUntil(walk);
  let otherwise: TemplatePart[] = [];
  if (walk.parts[walk.at]?.kind === "else") {
    walk.at++;
    otherwise = foldUntil(walk);
  }
  const end = takeEnd(walk, "endif", part);
  return { kind: "if", condition: part.condition, start: part.start, end, then, otherwise };
}

function foldFor(walk: Walk, part: FlatFor): TemplatePart {
  const body = foldUntil(walk);
  const end = takeEnd(walk, "endfor", part);
  return { ...part, end, body };
}

function takeEnd(walk: Walk, kind: "endif" | "endfor", open: FlatPart): number {
  const found = walk.parts[walk.at];
  if (found?.kind === kind) {
    walk.at++;
    return found.end;
  }
  return walk.cursor.fail(found ?? walk.cursor.span, {
    code: "syntax/unclosed-control",
    summary: `expected %{ ${kind} }${found ? `, found %{ ${found.kind} }` : " before the end of the text"}`,
    related: { source: walk.cursor.source, span: open, summary: "opened here" },
  });
}
