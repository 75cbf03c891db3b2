import { boolValue, listValue, mapValue, nullValue, numberValue, stringValue, type Value } from "./value.ts";

/** What YAML has and this reader has not, or what is no YAML. The line counts from 1. */
export class YamlInvalid extends Error {
  readonly line: number;

  constructor(message: string, line: number) {
    super(`line ${line}: ${message}`);
    this.line = line;
  }
}

/** Levels inside one another. */
const depthMax = 100;

interface Line {
  readonly indent: number;
  readonly text: string;
  readonly number: number;
}

/**
 * One document of YAML: block and flow collections, plain and quoted texts, literal and folded ones, comments. Anchors,
 * tags and several documents are refused. O(length).
 */
export function parseYaml(text: string): Value {
  const reader = new Reader(text);
  const value = reader.node(-1, 0);
  reader.finish();
  return value;
}

class Reader {
  readonly #lines: (Line | undefined)[];
  readonly #raw: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#raw = text.replaceAll("\r\n", "\n").split("\n");
    this.#lines = this.#raw.map((raw, index) => {
      const trimmed = raw.trim();
      if (trimmed === "" || trimmed.startsWith("#")) return undefined;
      const indent = raw.length - raw.trimStart().length;
      if (raw.slice(0, indent).includes("\t")) throw new YamlInvalid("lines are indented by spaces", index + 1);
      return { indent, text: trimmed, number: index + 1 };
    });
    while (this.#peek()?.text.startsWith("%")) throw new YamlInvalid("directives are not read", this.#number);
    if (this.#peek()?.text === "---") this.#at++;
  }

  finish(): void {
    const line = this.#peek();
    if (line?.text === "...") this.#at++;
    const rest = this.#peek();
    if (rest?.text.startsWith("---")) throw new YamlInvalid("several documents are not read", rest.number);
    if (rest) throw new YamlInvalid("this does not belong to what is above", rest.number);
  }

  get #number(): number {
    return this.#lines[this.#at]?.number ?? this.#at + 1;
  }

  #peek(): Line | undefined {
    while (this.#at < this.#lines.length && !this.#lines[this.#at]) this.#at++;
    return this.#lines[this.#at];
  }

  /** What is indented further than `parent`. */
  node(parent: number, depth: number): Value {
    const line = this.#peek();
    if (!line || line.indent <= parent || line.text === "---" || line.text === "...") return nullValue;
    if (depth > depthMax) throw new YamlInvalid(`more than ${depthMax} levels`, line.number);
    if (line.text === "-" || line.text.startsWith("- ")) return this.#sequence(line.indent, depth);
    if (keyEnd(line.text) >= 0) return this.#mapping(line.indent, depth);
    this.#at++;
    return this.#inline(line.text, parent, line.number);
  }

  #sequence(indent: number, depth: number): Value {
    const items: Value[] = [];
    for (let line = this.#peek(); line?.indent === indent; line = this.#peek()) {
      if (line.text !== "-" && !line.text.startsWith("- ")) break;
      const rest = line.text.slice(1).trimStart();
      if (rest === "" || rest.startsWith("#")) this.#at++;
      // What stands behind the dash is a node of its own, as if it began on that column.
      else this.#lines[this.#at] = { ...line, indent: indent + line.text.length - rest.length, text: rest };
      items.push(this.node(indent, depth + 1));
    }
    return listValue(items);
  }

  #mapping(indent: number, depth: number): Value {
    const entries = new Map<string, Value>();
    for (let line = this.#peek(); line?.indent === indent; line = this.#peek()) {
      const end = keyEnd(line.text);
      if (end < 0) throw new YamlInvalid("expected a key and a colon", line.number);
      const key = keyText(line.text.slice(0, end).trim(), line.number);
      if (entries.has(key)) throw new YamlInvalid(`the key "${key}" is there twice`, line.number);
      const rest = withoutComment(line.text.slice(end + 1).trim());
      this.#at++;
      entries.set(key, rest === "" ? this.#below(indent, depth) : this.#inline(rest, indent, line.number));
    }
    return mapValue(entries);
  }

  /** A list under a key may stand as far left as the key. */
  #below(indent: number, depth: number): Value {
    const next = this.#peek();
    const isList = next?.indent === indent && (next.text === "-" || next.text.startsWith("- "));
    return isList ? this.#sequence(indent, depth + 1) : this.node(indent, depth + 1);
  }

  /** A value that begins on a line whose text is `text`; the line is taken already. */
  #inline(text: string, parent: number, number: number): Value {
    const sign = text[0] ?? "";
    if (sign === "&" || sign === "*") throw new YamlInvalid("anchors and aliases are not read", number);
    if (sign === "!") throw new YamlInvalid("tags are not read", number);
    if (sign === "|" || sign === ">") return this.#block(text, parent, number);
    let whole = withoutComment(text);
    if (/^["'[{]/.test(sign)) {
      while (!isClosed(whole)) {
        const next = this.#peek();
        if (!next || next.indent <= parent) throw new YamlInvalid("a quote or bracket is not closed", number);
        this.#at++;
        whole += ` ${withoutComment(next.text)}`;
      }
      return new Flow(whole, number).all();
    }
    for (let next = this.#peek(); next && next.indent > parent && keyEnd(next.text) < 0; next = this.#peek()) {
      this.#at++;
      whole += ` ${withoutComment(next.text)}`;
    }
    return plain(whole);
  }

  #block(header: string, parent: number, number: number): Value {
    const found = /^([|>])([+-]?)([1-9]?)([+-]?)\s*(?:#.*)?$/.exec(header);
    if (!found) throw new YamlInvalid("after | or > come + or - and a digit at most", number);
    const keep = found[2] || found[4] || "";
    const start = this.#at;
    let end = start;
    const indentOf = (raw: string): number => raw.length - raw.trimStart().length;
    while (end < this.#raw.length && (this.#raw[end]?.trim() === "" || indentOf(this.#raw[end] ?? "") > parent)) end++;
    const lines = this.#raw.slice(start, end);
    this.#at = end;
    const first = lines.find((line) => line.trim() !== "");
    const width = found[3] ? Math.max(parent, 0) + Number(found[3]) : indentOf(first ?? "");
    let cut = lines.map((line) => line.slice(width));
    let trailing = 0;
    while (cut.length > 0 && cut.at(-1) === "") {
      cut = cut.slice(0, -1);
      trailing++;
    }
    const body = found[1] === "|" ? cut.join("\n") : folded(cut);
    const isLast = end === this.#raw.length;
    const ending = keep === "-" ? "" : keep === "+" ? "\n".repeat(trailing + (isLast ? 0 : 1)) : "\n";
    return stringValue(body === "" && keep !== "+" ? "" : body + ending);
  }
}

/** Line breaks become blanks, except around lines that are empty or indented further. */
function folded(lines: readonly string[]): string {
  let text = lines[0] ?? "";
  for (const [index, line] of lines.entries()) {
    if (index === 0) continue;
    const before = lines[index - 1] ?? "";
    const isKept = line === "" || /^\s/.test(line) || /^\s/.test(before);
    if (isKept) text += `\n${line}`;
    else text += before === "" ? line : ` ${line}`;
  }
  return text;
}

/** Index of the colon after a key at the beginning of a line; -1: there is none. */
function keyEnd(text: string): number {
  const quote = text[0] === '"' || text[0] === "'" ? text[0] : undefined;
  if (quote) {
    const found = (quote === '"' ? /^"(?:[^"\\]|\\.)*"\s*:(?=\s|$)/ : /^'(?:[^']|'')*'\s*:(?=\s|$)/).exec(text);
    return found ? found[0].length - 1 : -1;
  }
  if (/^[[{&*!|>%@`]/.test(text)) return -1;
  const found = /:(?=\s|$)/.exec(withoutComment(text));
  return found ? found.index : -1;
}

function keyText(text: string, number: number): string {
  if (text === "<<") throw new YamlInvalid("merge keys are not read", number);
  if (!/^["']/.test(text)) return text;
  const value = new Flow(text, number).all();
  return value.kind === "string" ? value.text : text;
}

function withoutComment(text: string): string {
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const sign = text[at] ?? "";
    if (quote !== "") {
      if (quote === '"' && sign === "\\") at++;
      else if (sign === quote) quote = "";
    } else if ((sign === '"' || sign === "'") && (at === 0 || /[\s[{,:]/.test(text[at - 1] ?? ""))) quote = sign;
    else if (sign === "#" && (at === 0 || /\s/.test(text[at - 1] ?? ""))) return text.slice(0, at).trimEnd();
  }
  return text;
}

/** Whether quotes and brackets that are opened are closed. */
function isClosed(text: string): boolean {
  let open = 0;
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const sign = text[at] ?? "";
    if (quote !== "") {
      if (quote === '"' && sign === "\\") at++;
      else if (sign === quote) quote = "";
    } else if (sign === '"' || sign === "'") quote = sign;
    else if (sign === "[" || sign === "{") open++;
    else if (sign === "]" || sign === "}") open--;
  }
  return open <= 0 && quote === "";
}

function plain(text: string): Value {
  if (text === "" || text === "~" || /^(null|Null|NULL)$/.test(text)) return nullValue;
  if (/^(true|True|TRUE)$/.test(text)) return boolValue(true);
  if (/^(false|False|FALSE)$/.test(text)) return boolValue(false);
  if (/^0x[0-9a-fA-F]+$/.test(text) || /^0o[0-7]+$/.test(text)) return numberValue(Number(text));
  const number = /^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/.test(text) ? Number(text) : Number.NaN;
  const isExact = Number.isFinite(number) && (!Number.isInteger(number) || Number.isSafeInteger(number));
  return isExact ? numberValue(number) : stringValue(text);
}

/** `[a, b]`, `{a: b}` and quoted texts. */
class Flow {
  readonly #text: string;
  readonly #line: number;
  #at = 0;

  constructor(text: string, line: number) {
    this.#text = text;
    this.#line = line;
  }

  all(): Value {
    const value = this.#value(0);
    this.#blanks();
    if (this.#at < this.#text.length) throw this.#wrong("text after the end of the value");
    return value;
  }

  #wrong(message: string): YamlInvalid {
    return new YamlInvalid(message, this.#line);
  }

  #blanks(): void {
    while (this.#text[this.#at] === " " || this.#text[this.#at] === "\t") this.#at++;
  }

  #value(depth: number): Value {
    if (depth > depthMax) throw this.#wrong(`more than ${depthMax} levels`);
    this.#blanks();
    const sign = this.#text[this.#at];
    if (sign === "[") return this.#list(depth);
    if (sign === "{") return this.#map(depth);
    if (sign === '"' || sign === "'") return stringValue(this.#quoted(sign));
    if (sign === "&" || sign === "*" || sign === "!") throw this.#wrong("anchors, aliases and tags are not read");
    return plain(this.#bare());
  }

  #bare(): string {
    const start = this.#at;
    while (this.#at < this.#text.length && !/[,[\]{}]/.test(this.#text[this.#at] ?? "")) {
      if (/^:(?=[\s,[\]{}]|$)/.test(this.#text.slice(this.#at, this.#at + 2))) break;
      this.#at++;
    }
    return this.#text.slice(start, this.#at).trim();
  }

  #list(depth: number): Value {
    const items: Value[] = [];
    this.#at++;
    for (;;) {
      this.#blanks();
      if (this.#takeIf("]")) return listValue(items);
      items.push(this.#value(depth + 1));
      this.#separator("]");
    }
  }

  #map(depth: number): Value {
    const entries = new Map<string, Value>();
    this.#at++;
    for (;;) {
      this.#blanks();
      if (this.#takeIf("}")) return mapValue(entries);
      const sign = this.#text[this.#at];
      const key = sign === '"' || sign === "'" ? this.#quoted(sign) : this.#bare();
      this.#blanks();
      entries.set(key, this.#takeIf(":") ? this.#value(depth + 1) : nullValue);
      this.#separator("}");
    }
  }

  #separator(close: string): void {
    this.#blanks();
    if (!this.#takeIf(",") && this.#text[this.#at] !== close) throw this.#wrong(`expected "," or "${close}"`);
  }

  #takeIf(sign: string): boolean {
    if (this.#text[this.#at] !== sign) return false;
    this.#at++;
    return true;
  }

  #quoted(quote: string): string {
    let text = "";
    for (this.#at++; this.#at < this.#text.length; this.#at++) {
      const sign = this.#text[this.#at] ?? "";
      if (sign === quote) {
        this.#at++;
        if (quote === '"' || this.#text[this.#at] !== "'") return text;
        text += "'";
      } else if (sign === "\\" && quote === '"') text += this.#escaped();
      else text += sign;
    }
    throw this.#wrong("a quote is not closed");
  }

  #escaped(): string {
    const sign = this.#text[++this.#at] ?? "";
    const length = { x: 2, u: 4, U: 8 }[sign];
    if (length !== undefined) {
      const code = Number.parseInt(this.#text.slice(this.#at + 1, this.#at + 1 + length), 16);
      if (!(code <= 0x10ffff)) throw this.#wrong("a wrong escape");
      this.#at += length;
      return String.fromCodePoint(code);
    }
    const known: Record<string, string> = {
      n: "\n",
      t: "\t",
      r: "\r",
      0: "\0",
      "\\": "\\",
      '"': '"',
      "/": "/",
      " ": " ",
    };
    const found = known[sign];
    if (found === undefined) throw this.#wrong(`"\\${sign}" is no escape`);
    return found;
  }
}
