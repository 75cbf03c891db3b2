import type { Span } from "../diagnostics/diagnostic.ts";
import { depthMax, nodesMax } from "./limits.ts";
import { type Position, type Report, Source } from "./source.ts";

/** A value of JSON with its place. */
export type JsonNode = Span &
  (
    | { readonly kind: "string"; readonly text: string; readonly offsets: readonly number[] | undefined }
    | { readonly kind: "literal"; readonly value: number | boolean | null }
    | { readonly kind: "array"; readonly items: readonly JsonNode[] }
    | JsonObject
  );

export interface JsonObject extends Span {
  readonly kind: "object";
  readonly members: readonly JsonMember[];
}

export interface JsonMember {
  readonly name: string;
  readonly nameSpan: Span;
  readonly value: JsonNode;
}

/** The text of a JSON string as a text of its own, whose places are those of the file. */
export class StringSource extends Source {
  readonly #outer: Source;
  readonly #start: number;
  /** Offset in the file of each sign; absent: one after the other. */
  readonly #offsets: readonly number[] | undefined;

  constructor(outer: Source, node: JsonNode & { kind: "string" }) {
    super(outer.file, node.text);
    this.#outer = outer;
    this.#start = node.start + 1;
    this.#offsets = node.offsets;
  }

  override position(offset: number): Position {
    return this.#outer.position(this.#offsets ? (this.#offsets[offset] ?? this.#start) : this.#start + offset);
  }

  override lineText(line: number): string {
    return this.#outer.lineText(line);
  }
}

class Unreadable extends Error {}

/** Reads a text of JSON; undefined after an error, which is reported. O(length). */
export function parseJson(source: Source, report: Report): JsonNode | undefined {
  try {
    return new JsonParser(source, report).file();
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}

class JsonParser {
  readonly #source: Source;
  readonly #text: string;
  readonly #report: Report;
  #at = 0;
  #depth = 0;
  #nodes = 0;

  constructor(source: Source, report: Report) {
    this.#source = source;
    this.#text = source.text;
    this.#report = report;
    if (this.#text.charCodeAt(0) === 0xfeff) this.#at = 1;
  }

  file(): JsonNode {
    const node = this.#value();
    this.#blanks();
    if (this.#at < this.#text.length) this.#fail("text after the end of the value");
    return node;
  }

  #fail(summary: string, hint?: string): never {
    const end = Math.min(this.#at + 1, this.#text.length);
    this.#report.error(this.#source, { start: Math.min(this.#at, end), end }, { code: "syntax/json", summary, hint });
    throw new Unreadable();
  }

  #blanks(): void {
    while (/[ \t\r\n]/.test(this.#text[this.#at] ?? "")) this.#at++;
  }

  #value(): JsonNode {
    this.#blanks();
    if (++this.#nodes > nodesMax) this.#fail(`more than ${nodesMax} values in one file`);
    const sign = this.#text[this.#at];
    if (sign === '"') return this.#string();
    if (sign !== "{" && sign !== "[") return this.#literal();
    if (++this.#depth > depthMax) this.#fail(`more than ${depthMax} levels inside one another`);
    const node = sign === "{" ? this.#object() : this.#array();
    this.#depth--;
    return node;
  }

  #literal(): JsonNode {
    const start = this.#at;
    const found = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/.exec(
      this.#text.slice(start, start + 400),
    );
    if (!found)
      this.#fail(
        start >= this.#text.length ? "expected a value, but the file ends" : "expected a value",
        this.#text[start] === "'" ? 'text is written in double quotes: "..."' : undefined,
      );
    this.#at += found[0].length;
    return { kind: "literal", value: JSON.parse(found[0]), start, end: this.#at };
  }

  #string(): JsonNode & { kind: "string" } {
    const start = this.#at;
    const text = this.#text;
    let at = start + 1;
    while (at < text.length && text[at] !== '"' && text.charCodeAt(at) >= 32) at += text[at] === "\\" ? 2 : 1;
    if (text[at] !== '"') this.#fail("the text is not closed on its line");
    const raw = text.slice(start, at + 1);
    this.#at = at + 1;
    const span = { start, end: at + 1 };
    if (!raw.includes("\\")) return { kind: "string", text: raw.slice(1, -1), offsets: undefined, ...span };
    let made: unknown;
    try {
      made = JSON.parse(raw);
    } catch {
      this.#at = start;
      this.#fail("the text holds an escape that JSON does not know");
    }
    const offsets: number[] = [];
    for (let from = start + 1; from < at; ) {
      offsets.push(from);
      from += text[from] !== "\\" ? 1 : text[from + 1] === "u" ? 6 : 2;
    }
    return { kind: "string", text: String(made), offsets: [...offsets, at], ...span };
  }

  #array(): JsonNode {
    const start = this.#at++;
    const items: JsonNode[] = [];
    this.#blanks();
    while (this.#text[this.#at] !== "]") {
      items.push(this.#value());
      this.#separator("]");
    }
    return { kind: "array", items, start, end: ++this.#at };
  }

  #object(): JsonObject {
    const start = this.#at++;
    const members: JsonMember[] = [];
    this.#blanks();
    while (this.#text[this.#at] !== "}") {
      if (this.#text[this.#at] !== '"') this.#fail("expected a name in double quotes");
      const name = this.#string();
      this.#blanks();
      if (this.#text[this.#at] !== ":") this.#fail('expected ":" after the name');
      this.#at++;
      members.push({ name: name.text, nameSpan: { start: name.start, end: name.end }, value: this.#value() });
      this.#separator("}");
    }
    return { kind: "object", members, start, end: ++this.#at };
  }

  #separator(close: string): void {
    this.#blanks();
    if (this.#text[this.#at] === close) return;
    if (this.#text[this.#at] !== ",") this.#fail(`expected "," or "${close}"`);
    this.#at++;
    this.#blanks();
    if (this.#text[this.#at] === close) this.#fail(`JSON has no "," before "${close}"`);
  }
}
