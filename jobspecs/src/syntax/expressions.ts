import type { Span } from "../diagnostics/diagnostic.ts";
import type { Cursor } from "./cursor.ts";
import { parseLoopHead } from "./loop-head.ts";
import { parseTemplate } from "./templates.ts";
import { type TokenKind, token } from "./tokens.ts";
import type { BinaryOperator, Expression, ObjectItem } from "./tree.ts";

/** Strength and text of the binary operators; all bind to the left. */
const binaryOperators = new Map<TokenKind, { strength: number; operator: BinaryOperator }>([
  [token.or, { strength: 1, operator: "||" }],
  [token.and, { strength: 2, operator: "&&" }],
  [token.equalEqual, { strength: 3, operator: "==" }],
  [token.notEqual, { strength: 3, operator: "!=" }],
  [token.less, { strength: 4, operator: "<" }],
  [token.lessEqual, { strength: 4, operator: "<=" }],
  [token.greater, { strength: 4, operator: ">" }],
  [token.greaterEqual, { strength: 4, operator: ">=" }],
  [token.plus, { strength: 5, operator: "+" }],
  [token.minus, { strength: 5, operator: "-" }],
  [token.star, { strength: 6, operator: "*" }],
  [token.slash, { strength: 6, operator: "/" }],
  [token.percent, { strength: 6, operator: "%" }],
]);

/** Reads one expression; throws `Unreadable` after it reported an error. */
export function parseExpression(cursor: Cursor): Expression {
  return cursor.nested(() => {
    const condition = parseBinary(cursor, 1);
    if (!cursor.takeIf(token.question)) return condition;
    const then = parseExpression(cursor);
    expect(cursor, token.colon, "syntax/expected-colon", 'expected ":" and the other value of the condition');
    const otherwise = parseExpression(cursor);
    cursor.countNode();
    return { kind: "conditional", start: condition.start, end: otherwise.end, condition, then, otherwise };
  });
}

function parseBinary(cursor: Cursor, strength: number): Expression {
  let left = parsePostfix(cursor);
  for (;;) {
    const found = binaryOperators.get(cursor.peek());
    if (!found || found.strength < strength) return left;
    cursor.take();
    const right = parseBinary(cursor, found.strength + 1);
    cursor.countNode();
    left = { kind: "binary", start: left.start, end: right.end, operator: found.operator, left, right };
  }
}

function parsePostfix(cursor: Cursor): Expression {
  return parseTraversals(cursor, parseTerm(cursor));
}

function parseTraversals(cursor: Cursor, root: Expression): Expression {
  let object = root;
  for (;;) {
    const kind = cursor.peek();
    if (kind === token.dot) {
      cursor.take();
      if (cursor.peek() === token.star) object = parseAttributeSplat(cursor, object);
      else object = parseDotted(cursor, object);
    } else if (kind === token.openBracket) {
      object = parseBracketed(cursor, object);
    } else return object;
    cursor.countNode();
  }
}

/** After a dot: a name, or a number as in `list.0`. */
function parseDotted(cursor: Cursor, object: Expression): Expression {
  const kind = cursor.peek();
  if (kind === token.identifier) {
    const name = cursor.text;
    const nameSpan = cursor.take();
    return { kind: "attribute-access", start: object.start, end: nameSpan.end, object, name, nameSpan };
  }
  if (kind === token.number) {
    const text = cursor.text;
    const span = cursor.take();
    const value = Number(text);
    if (text.includes(".") || !Number.isFinite(value)) {
      cursor.fail(span, {
        code: "syntax/bad-index",
        summary: `"${text}" is no index`,
        hint: `write [${text.split(".").join("][")}]`,
      });
    }
    const key: Expression = { kind: "literal", value, ...span };
    return { kind: "index", start: object.start, end: span.end, object, key };
  }
  return cursor.fail(cursor.span, { code: "syntax/expected-name", summary: 'expected an attribute name after "."' });
}

function parseAttributeSplat(cursor: Cursor, object: Expression): Expression {
  const star = cursor.take();
  let each: Expression = { kind: "splat-item", ...star };
  while (cursor.peek() === token.dot) {
    cursor.take();
    if (cursor.peek() === token.star) {
      cursor.fail(cursor.span, {
        code: "syntax/nested-splat",
        summary: 'a ".*" may not follow another',
        hint: "use [*], which may be nested",
      });
    }
    each = parseDotted(cursor, each);
  }
  return { kind: "splat", style: "attributes", start: object.start, end: each.end, object, each };
}

function parseBracketed(cursor: Cursor, object: Expression): Expression {
  const open = cursor.take();
  // Only a star right after the bracket makes a splat: line breaks count here as they do outside.
  if (cursor.peek() === token.star) {
    cursor.take();
    expectClosing(cursor, token.closeBracket, "]", open);
    const item: Expression = { kind: "splat-item", start: open.start, end: cursor.take().end };
    const each = cursor.nested(() => parseTraversals(cursor, item));
    return { kind: "splat", style: "full", start: object.start, end: each.end, object, each };
  }
  const key = cursor.withNewlines(false, () => {
    const expression = parseExpression(cursor);
    expectClosing(cursor, token.closeBracket, "]", open);
    return expression;
  });
  return { kind: "index", start: object.start, end: cursor.take().end, object, key };
}

function parseTerm(cursor: Cursor): Expression {
  cursor.countNode();
  switch (cursor.peek()) {
    case token.openParen:
      return parseParentheses(cursor);
    case token.number:
      return parseNumber(cursor);
    case token.identifier:
      return parseNamed(cursor);
    case token.openQuote:
    case token.openHeredoc:
      return cursor.nested(() => parseTemplate(cursor, parseExpression));
    case token.minus:
    case token.bang: {
      const operator = cursor.peek() === token.minus ? "-" : "!";
      const { start } = cursor.take();
      const operand = cursor.nested(() => parsePostfix(cursor));
      return { kind: "unary", start, end: operand.end, operator, operand };
    }
    case token.openBracket:
      return cursor.nested(() => parseTuple(cursor));
    case token.openBrace:
      return cursor.nested(() => parseObject(cursor));
    default:
      return failTerm(cursor);
  }
}

function failTerm(cursor: Cursor): never {
  const { text } = cursor;
  const kind = cursor.peek();
  const ends = kind === token.newline || kind === token.eof;
  const found = kind === token.eof ? "the file ends" : kind === token.newline ? "the line ends" : `found "${text}"`;
  return cursor.fail(cursor.span, {
    code: text === "'" ? "syntax/single-quotes" : "syntax/expected-value",
    summary: `expected a value, ${ends ? `but ${found}` : found}`,
    ...(text === "'" ? { hint: 'text is written in double quotes: "..."' } : {}),
  });
}

function parseParentheses(cursor: Cursor): Expression {
  const open = cursor.take();
  const inner = cursor.withNewlines(false, () => {
    const expression = parseExpression(cursor);
    expectClosing(cursor, token.closeParen, ")", open);
    return expression;
  });
  return { kind: "parentheses", start: open.start, end: cursor.take().end, inner };
}

function parseNumber(cursor: Cursor): Expression {
  const text = cursor.text;
  const span = cursor.take();
  const value = Number(text);
  if (Number.isNaN(value)) {
    cursor.fail(span, { code: "syntax/bad-number", summary: `"${text}" is no number` });
  }
  return { kind: "literal", value, ...span };
}

function parseNamed(cursor: Cursor): Expression {
  const name = cursor.text;
  const span = cursor.take();
  if (cursor.peek() === token.openParen) return cursor.nested(() => parseCall(cursor, name, span));
  if (name === "true" || name === "false") return { kind: "literal", value: name === "true", ...span };
  if (name === "null") return { kind: "literal", value: null, ...span };
  return { kind: "variable", name, ...span };
}

function parseCall(cursor: Cursor, name: string, nameSpan: Span): Expression {
  const open = cursor.take();
  const args: Expression[] = [];
  const expandsLast = cursor.withNewlines(false, () => {
    while (cursor.peek() !== token.closeParen) {
      args.push(parseExpression(cursor));
      if (cursor.takeIf(token.ellipsis)) {
        expectClosing(cursor, token.closeParen, ")", open);
        return true;
      }
      if (!cursor.takeIf(token.comma)) expectClosing(cursor, token.closeParen, ")", open);
    }
    return false;
  });
  return { kind: "call", start: nameSpan.start, end: cursor.take().end, name, nameSpan, args, expandsLast };
}

function parseTuple(cursor: Cursor): Expression {
  const open = cursor.take();
  const forExpression = cursor.withNewlines(false, () => (cursor.isWord("for") ? parseFor(cursor, open) : undefined));
  if (forExpression) return forExpression;
  const items: Expression[] = [];
  cursor.withNewlines(false, () => {
    while (cursor.peek() !== token.closeBracket) {
      items.push(parseExpression(cursor));
      if (!cursor.takeIf(token.comma)) expectClosing(cursor, token.closeBracket, "]", open);
    }
  });
  return { kind: "tuple", start: open.start, end: cursor.take().end, items };
}

function parseObject(cursor: Cursor): Expression {
  const open = cursor.take();
  const isFor = cursor.withNewlines(false, () => cursor.isWord("for"));
  if (isFor) {
    const made = cursor.withNewlines(false, () => parseFor(cursor, open));
    return made;
  }
  return cursor.withNewlines(true, () => {
    const items: ObjectItem[] = [];
    for (;;) {
      while (cursor.takeIf(token.newline));
      if (cursor.peek() === token.closeBrace) {
        return { kind: "object", start: open.start, end: cursor.take().end, items };
      }
      items.push(parseObjectItem(cursor));
      const kind = cursor.peek();
      if (kind === token.comma || kind === token.newline) cursor.take();
      else expectClosing(cursor, token.closeBrace, "}", open);
    }
  });
}

function parseObjectItem(cursor: Cursor): ObjectItem {
  const key = parseExpression(cursor);
  const kind = cursor.peek();
  if (kind !== token.equal && kind !== token.colon) {
    cursor.fail(cursor.span, {
      code: "syntax/expected-equals",
      summary: 'expected "=" after the key of an object',
    });
  }
  cursor.take();
  return { key, value: parseExpression(cursor) };
}

/** The opening bracket is taken, `for` is next, line breaks do not count. Takes the closing one, which decides the kind. */
function parseFor(cursor: Cursor, open: Span): Expression {
  const makesObject = cursor.source.text.charCodeAt(open.start) === 123;
  const close = makesObject ? token.closeBrace : token.closeBracket;
  const { names, collection } = parseLoopHead(cursor, parseExpression);
  expect(cursor, token.colon, "syntax/expected-colon", 'expected ":" and the result of each round');
  const head = parseExpression(cursor);
  const value = makesObject ? parseForValue(cursor, head) : head;
  const groups = makesObject && cursor.takeIf(token.ellipsis);
  let condition: Expression | undefined;
  if (cursor.isWord("if")) {
    cursor.take();
    condition = parseExpression(cursor);
  }
  expectClosing(cursor, close, makesObject ? "}" : "]", open);
  return {
    kind: "for",
    start: open.start,
    end: cursor.take().end,
    ...names,
    collection,
    ...(makesObject ? { key: head } : {}),
    value,
    groups,
    ...(condition ? { condition } : {}),
  };
}

function parseForValue(cursor: Cursor, key: Expression): Expression {
  if (!cursor.takeIf(token.arrow))
    cursor.fail(key, {
      code: "syntax/expected-arrow",
      summary: 'expected "=>" and the value after the key: this loop makes an object',
    });
  return parseExpression(cursor);
}

function expect(cursor: Cursor, kind: TokenKind, code: string, summary: string): void {
  if (!cursor.takeIf(kind)) cursor.fail(cursor.span, { code, summary });
}

/** Fails unless the closing bracket is next; does not take it. */
function expectClosing(cursor: Cursor, kind: TokenKind, sign: string, open: Span): void {
  const found = cursor.peek();
  if (found === kind) return;
  const text =
    found === token.eof ? "the end of the file" : found === token.newline ? "a new line" : `"${cursor.text}"`;
  cursor.fail(cursor.span, {
    code: "syntax/unclosed",
    summary: `expected ${sign === ")" || sign === "]" ? `"," or "${sign}"` : `a new line, "," or "${sign}"`}, found ${text}`,
    related: { source: cursor.source, span: open, summary: "opened here" },
  });
}
