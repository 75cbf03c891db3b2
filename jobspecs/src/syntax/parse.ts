import type { Span } from "../diagnostics/diagnostic.ts";
import { Cursor, Exhausted, Unreadable } from "./cursor.ts";
import { parseExpression } from "./expressions.ts";
import { sourceBytesMax } from "./limits.ts";
import { scan, scanTemplate } from "./scanner.ts";
import type { Report, Source } from "./source.ts";
import { parseLabelText, parseWholeTemplate } from "./templates.ts";
import { type TokenKind, token } from "./tokens.ts";
import type { Attribute, Block, Body, BodyItem, Expression, Label, TemplatePart } from "./tree.ts";

/**
 * Reads a file into its tree. Errors go to `report` (several at once: each unreadable item is left out, reading goes on
 * after it); the tree holds what could be read. Never throws. O(length of the text).
 */
export function parse(source: Source, report: Report): Body {
  const empty: Body = { start: 0, end: source.text.length, items: [] };
  if (isTooLarge(source, report)) return empty;
  const cursor = new Cursor(source, scan(source.text), report);
  try {
    return parseBody(cursor);
  } catch (error) {
    if (error instanceof Exhausted) return empty;
    throw error;
  }
}

/** Reads one expression that is the whole text, as in `-var count=3`; undefined after errors. */
export function parseLoneExpression(source: Source, report: Report): Expression | undefined {
  if (isTooLarge(source, report)) return undefined;
  const cursor = new Cursor(source, scan(source.text), report);
  try {
    const expression = cursor.withNewlines(false, () => parseExpression(cursor));
    if (cursor.withNewlines(false, () => cursor.peek()) !== token.eof) {
      cursor.fail(cursor.span, { code: "syntax/extra-text", summary: "text after the end of the value" });
    }
    return expression;
  } catch (error) {
    if (error instanceof Exhausted || error instanceof Unreadable) return undefined;
    throw error;
  }
}

/** Reads a text that is a template as a whole, as templatefile() does; undefined after errors. */
export function parseLoneTemplate(source: Source, report: Report): readonly TemplatePart[] | undefined {
  if (isTooLarge(source, report)) return undefined;
  const cursor = new Cursor(source, scanTemplate(source.text), report);
  try {
    return parseWholeTemplate(cursor, parseExpression);
  } catch (error) {
    if (error instanceof Exhausted || error instanceof Unreadable) return undefined;
    throw error;
  }
}

/** Reports a text beyond `sourceBytesMax`. */
export function isTooLarge(source: Source, report: Report): boolean {
  const { text } = source;
  if (text.length <= sourceBytesMax / 3) return false;
  if (text.length <= sourceBytesMax && utf8Length(text) <= sourceBytesMax) return false;
  report.error(
    source,
    { start: 0, end: 0 },
    { code: "syntax/too-large", summary: `the file is larger than ${sourceBytesMax} bytes` },
  );
  return true;
}

function utf8Length(text: string): number {
  let bytes = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    // A surrogate pair is four bytes: two for each half.
    bytes += code < 0x80 ? 1 : code < 0x800 || (code >= 0xd800 && code < 0xe000) ? 2 : 3;
  }
  return bytes;
}

/** `open` is the brace that the body stands in; absent: it is the file. */
function parseBody(cursor: Cursor, open?: Span): Body {
  const braced = open !== undefined;
  const start = cursor.start;
  const items: BodyItem[] = [];
  const attributes = new Map<string, Attribute>();
  for (;;) {
    const kind = cursor.peek();
    if (kind === token.newline) {
      cursor.take();
    } else if (kind === token.eof) {
      if (open) {
        cursor.error(open, {
          code: "syntax/unclosed-block",
          summary: "the file ends before this block is closed",
          hint: 'add the missing "}"',
        });
        // The blocks around it are open as well, for the same reason.
        throw new Exhausted();
      }
      return { start, end: cursor.start, items };
    } else if (kind === token.closeBrace && braced) {
      return { start, end: cursor.start, items };
    } else {
      const item = parseItemOrRecover(cursor, braced);
      if (item?.kind === "attribute") checkRepeated(cursor, attributes, item);
      if (item) items.push(item);
    }
  }
}

function parseItemOrRecover(cursor: Cursor, braced: boolean): BodyItem | undefined {
  const from = cursor.mark;
  try {
    return parseItem(cursor);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    cursor.recover(from);
    // A stray closing bracket outside any block ends nothing: step over it.
    const kind = cursor.peek();
    if (cursor.mark === from || (kind !== token.newline && !(braced && kind === token.closeBrace))) cursor.take();
    return undefined;
  }
}

function checkRepeated(cursor: Cursor, attributes: Map<string, Attribute>, item: Attribute): void {
  const first = attributes.get(item.name);
  if (!first) {
    attributes.set(item.name, item);
    return;
  }
  cursor.error(item.nameSpan, {
    code: "syntax/attribute-repeated",
    summary: `"${item.name}" is set twice`,
    related: { source: cursor.source, span: first.nameSpan, summary: "first set here" },
  });
}

function parseItem(cursor: Cursor): BodyItem {
  if (cursor.peek() === token.openQuote) {
    cursor.fail(cursor.span, {
      code: "syntax/quoted-name",
      summary: "names of attributes and blocks are written without quotes",
    });
  }
  if (cursor.peek() !== token.identifier) {
    cursor.fail(cursor.span, {
      code: "syntax/expected-item",
      summary: `expected an attribute or a block, found ${describe(cursor)}`,
      ...(cursor.peek() === token.comma ? { hint: "commas do not separate arguments; put each on its own line" } : {}),
    });
  }
  cursor.countNode();
  const name = cursor.text;
  const nameSpan = cursor.take();
  switch (cursor.peek()) {
    case token.equal: {
      const attribute = parseAttribute(cursor, name, nameSpan);
      endLine(cursor, "attribute");
      return attribute;
    }
    case token.openQuote:
    case token.openBrace:
    case token.identifier:
      return parseBlock(cursor, name, nameSpan);
    default:
      return cursor.fail(nameSpan, {
        code: "syntax/expected-item",
        summary: `expected "=" or a block after "${name}", found ${describe(cursor)}`,
        ...(beginsValue(cursor.peek()) ? { hint: `write ${name} = ... with an equals sign` } : {}),
      });
  }
}

/** After a name: what was meant as its value, as older job files may have it. */
function beginsValue(kind: TokenKind): boolean {
  return kind === token.colon || kind === token.openBracket || kind === token.number || kind === token.minus;
}

function parseAttribute(cursor: Cursor, name: string, nameSpan: { start: number; end: number }): Attribute {
  cursor.take();
  const value = parseExpression(cursor);
  return { kind: "attribute", start: nameSpan.start, end: value.end, name, nameSpan, value };
}

function endLine(cursor: Cursor, what: "attribute" | "block"): void {
  const kind = cursor.peek();
  if (kind === token.newline) cursor.take();
  else if (kind !== token.eof) {
    cursor.fail(cursor.span, {
      code: "syntax/expected-newline",
      summary: `expected a new line after the ${what}, found ${describe(cursor)}`,
      ...(kind === token.comma ? { hint: "commas do not separate arguments; put each on its own line" } : {}),
    });
  }
}

function parseBlock(cursor: Cursor, type: string, typeSpan: { start: number; end: number }): Block {
  const labels: Label[] = [];
  for (;;) {
    const kind = cursor.peek();
    if (kind === token.openBrace) break;
    if (kind === token.openQuote) labels.push(parseLabelText(cursor));
    else if (kind === token.identifier) labels.push({ text: cursor.text, ...cursor.take() });
    else {
      cursor.fail(cursor.span, {
        code: "syntax/expected-block",
        summary:
          kind === token.equal
            ? `"${type}" has a label, so it is a block and takes no "="`
            : `expected a label or "{" of block "${type}", found ${describe(cursor)}`,
        // Older job files leave out the sign between name and text.
        ...(labels.length === 1 && kind === token.newline
          ? { hint: `write ${type} = ${cursor.source.text.slice(labels[0]?.start, labels[0]?.end)} if it is no block` }
          : {}),
      });
    }
  }
  const open = cursor.take();
  const body = cursor.nested(() => parseBracedBody(cursor, open));
  const end = cursor.take().end;
  endLine(cursor, "block");
  return { kind: "block", start: typeSpan.start, end, type, typeSpan, labels, body };
}

/** Leaves the cursor on the closing brace. */
function parseBracedBody(cursor: Cursor, open: Span): Body {
  const kind = cursor.peek();
  if (kind === token.newline || kind === token.eof || kind === token.closeBrace) return parseBody(cursor, open);
  const start = cursor.start;
  if (kind !== token.identifier || cursor.peekSecond() !== token.equal) {
    // The place is what begins the other block: its word and what follows.
    if (cursor.peekSecond() === token.openBrace) cursor.take();
    cursor.fail(
      { start, end: cursor.end },
      {
        code: "syntax/one-line-block",
        summary: "a block on one line holds one attribute and no other block",
        hint: 'start a new line after "{"',
      },
    );
  }
  cursor.countNode();
  const name = cursor.text;
  const attribute = parseAttribute(cursor, name, cursor.take());
  if (cursor.peek() !== token.closeBrace) {
    cursor.fail(cursor.span, {
      code: "syntax/one-line-block",
      summary: `expected "}" on the same line, found ${describe(cursor)}`,
      detail: "A block on one line holds one attribute.",
      hint: "put each argument on its own line",
    });
  }
  return { start, end: cursor.start, items: [attribute] };
}

/** The next token in words. */
export function describe(cursor: Cursor): string {
  const kind = cursor.peek();
  if (kind === token.eof) return "the end of the file";
  if (kind === token.newline) return "the end of the line";
  if (kind === token.quotedNewline) return "a line break inside quotes";
  const text = cursor.text;
  return `"${text.length > 24 ? `${text.slice(0, 24)}...` : text}"`;
}
