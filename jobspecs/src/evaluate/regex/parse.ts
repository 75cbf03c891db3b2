import { type Matcher, posixClass, propertyClass, shorthandClass, withoutCase } from "./classes.ts";

/** A regular expression as a tree. */
export type Node =
  | { readonly kind: "set"; readonly has: Matcher }
  | { readonly kind: "assert"; readonly at: Assertion }
  | { readonly kind: "group"; readonly index: number; readonly inner: Node }
  | { readonly kind: "concat" | "alternate"; readonly parts: readonly Node[] }
  | {
      readonly kind: "repeat";
      readonly inner: Node;
      readonly min: number;
      readonly max: number;
      readonly greedy: boolean;
    };

export type Assertion = "text-start" | "text-end" | "line-start" | "line-end" | "word" | "no-word";

/** The text is no regular expression in RE2's syntax; the message says why. */
export class PatternInvalid extends Error {}

/** Groups inside one another. */
const depthMax = 100;

/** As in RE2. */
const repeatsMax = 1000;

interface Flags {
  ignoresCase: boolean;
  multiline: boolean;
  dotAll: boolean;
  swapsGreed: boolean;
}

export interface Parsed {
  readonly root: Node;
  /** Names of the groups from 1 on; undefined where a group has none. */
  readonly names: readonly (string | undefined)[];
}

/** Reads RE2's syntax: no back-references and no looking around, which no linear matcher can do. */
export function parsePattern(text: string): Parsed {
  const parser = new Parser(text);
  const root = parser.alternation({ ignoresCase: false, multiline: false, dotAll: false, swapsGreed: false }, 0);
  if (!parser.isAtEnd) throw new PatternInvalid('")" without its beginning');
  return { root, names: parser.names };
}

class Parser {
  readonly names: (string | undefined)[] = [];
  readonly #signs: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#signs = [...text];
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#signs.length;
  }

  get #next(): string {
    return this.#signs[this.#at] ?? "";
  }

  #take(): string {
    const sign = this.#signs[this.#at++];
    if (sign === undefined) throw new PatternInvalid("it ends too early");
    return sign;
  }

  #takeIf(text: string): boolean {
    if (
      !this.#signs
        .slice(this.#at, this.#at + text.length)
        .join("")
        .startsWith(text)
    )
      return false;
    this.#at += text.length;
    return true;
  }

  alternation(given: Flags, depth: number): Node {
    if (depth > depthMax) throw new PatternInvalid(`more than ${depthMax} groups inside one another`);
    const flags = { ...given };
    const parts = [this.#sequence(flags, depth)];
    while (this.#takeIf("|")) parts.push(this.#sequence(flags, depth));
    return parts.length === 1 && parts[0] ? parts[0] : { kind: "alternate", parts };
  }

  #sequence(flags: Flags, depth: number): Node {
    const parts: Node[] = [];
    while (!this.isAtEnd && this.#next !== "|" && this.#next !== ")") {
      const atom = this.#atom(flags, depth);
      if (atom) parts.push(this.#repeated(atom, flags));
    }
    return { kind: "concat", parts };
  }

  #repeated(atom: Node, flags: Flags): Node {
    const bounds = this.#bounds();
    if (!bounds) return atom;
    const greedy = this.#takeIf("?") === flags.swapsGreed;
    const again = this.#bounds();
    if (again) throw new PatternInvalid("a repetition may not follow another");
    return { kind: "repeat", inner: atom, ...bounds, greedy };
  }

  #bounds(): { min: number; max: number } | undefined {
    if (this.#takeIf("*")) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (this.#takeIf("+")) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (this.#takeIf("?")) return { min: 0, max: 1 };
    if (this.#next !== "{") return undefined;
    const close = this.#signs.indexOf("}", this.#at);
    const found = /^\{(\d+)(,?)(\d*)$/.exec(this.#signs.slice(this.#at, close < 0 ? this.#at : close).join(""));
    if (!found) return undefined;
    this.#at = close + 1;
    const min = Number(found[1]);
    const max = found[2] === "" ? min : found[3] === "" ? Number.POSITIVE_INFINITY : Number(found[3]);
    if (min > repeatsMax || (max > repeatsMax && Number.isFinite(max)) || max < min)
      throw new PatternInvalid(`a repetition goes from 0 to ${repeatsMax}`);
    return { min, max };
  }

  /** undefined: flags alone. */
  #atom(flags: Flags, depth: number): Node | undefined {
    const sign = this.#take();
    switch (sign) {
      case ".":
        return { kind: "set", has: flags.dotAll ? () => true : (code) => code !== 10 };
      case "^":
        return { kind: "assert", at: flags.multiline ? "line-start" : "text-start" };
      case "$":
        return { kind: "assert", at: flags.multiline ? "line-end" : "text-end" };
      case "[":
        return this.#set(this.#bracketed(), flags);
      case "(":
        return this.#group(flags, depth);
      case "\\":
        return this.#escaped(flags);
      case "*":
      case "+":
      case "?":
        throw new PatternInvalid(`nothing before "${sign}" to be repeated`);
      default:
        return this.#set(only(sign), flags);
    }
  }

  #set(has: Matcher, flags: Flags): Node {
    return { kind: "set", has: flags.ignoresCase ? withoutCase(has) : has };
  }

  #group(flags: Flags, depth: number): Node | undefined {
    if (!this.#takeIf("?")) return this.#capture(undefined, flags, depth);
    if (this.#takeIf("P<") || (this.#next === "<" && !/[=!]/.test(this.#signs[this.#at + 1] ?? "") && this.#take())) {
      let name = "";
      while (this.#next !== ">") name += this.#take();
      this.#take();
      if (!/^\w+$/.test(name)) throw new PatternInvalid(`"${name}" can't be a group's name`);
      if (this.names.includes(name)) throw new PatternInvalid(`two groups are named "${name}"`);
      return this.#capture(name, flags, depth);
    }
    const changed = this.#flags(flags);
    if (this.#takeIf(")")) {
      Object.assign(flags, changed);
      return undefined;
    }
    if (!this.#takeIf(":")) throw new PatternInvalid(`"(?${this.#next}" is not known here; looking around is not`);
    return this.#closed(this.alternation(changed, depth + 1));
  }

  #capture(name: string | undefined, flags: Flags, depth: number): Node {
    this.names.push(name);
    const index = this.names.length;
    return this.#closed({ kind: "group", index, inner: this.alternation(flags, depth + 1) });
  }

  #closed(node: Node): Node {
    if (!this.#takeIf(")")) throw new PatternInvalid('a "(" is not closed');
    return node;
  }

  #flags(flags: Flags): Flags {
    const changed = { ...flags };
    let value = true;
    for (;;) {
      if (this.#takeIf("-")) value = false;
      else if (this.#takeIf("i")) changed.ignoresCase = value;
      else if (this.#takeIf("m")) changed.multiline = value;
      else if (this.#takeIf("s")) changed.dotAll = value;
      else if (this.#takeIf("U")) changed.swapsGreed = value;
      else return changed;
    }
  }

  #escaped(flags: Flags): Node {
    if (this.#takeIf("b")) return { kind: "assert", at: "word" };
    if (this.#takeIf("B")) return { kind: "assert", at: "no-word" };
    if (this.#takeIf("A")) return { kind: "assert", at: "text-start" };
    if (this.#takeIf("z")) return { kind: "assert", at: "text-end" };
    if (this.#takeIf("Q")) {
      const parts: Node[] = [];
      while (!this.isAtEnd && !this.#takeIf("\\E")) parts.push(this.#set(only(this.#take()), flags));
      return { kind: "concat", parts };
    }
    const shorthand = this.#shorthand();
    return this.#set(shorthand ?? only(this.#literal()), flags);
  }

  #shorthand(): Matcher | undefined {
    const sign = this.#next;
    if (sign === "p" || sign === "P") {
      this.#take();
      let name = this.#take();
      if (name === "{") {
        name = "";
        while (this.#next !== "}") name += this.#take();
        this.#take();
      }
      const has = propertyClass(name, sign === "P");
      if (!has) throw new PatternInvalid(`no class "${name}" of signs is known`);
      return has;
    }
    const has = shorthandClass(sign);
    if (has) this.#take();
    return has;
  }

  /** After a backslash: one sign. */
  #literal(): string {
    const sign = this.#take();
    const control = { a: "\x07", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" }[sign];
    if (control !== undefined) return control;
    if (sign === "x") return this.#hex();
    if (sign === "0") {
      let digits = "";
      while (digits.length < 3 && /[0-7]/.test(this.#next)) digits += this.#take();
      return String.fromCodePoint(Number.parseInt(digits || "0", 8));
    }
    if (/[1-9]/.test(sign)) throw new PatternInvalid("a group can't be referred to inside the pattern");
    if (/[A-Za-z]/.test(sign)) throw new PatternInvalid(`"\\${sign}" is no escape`);
    return sign;
  }

  #hex(): string {
    let digits = "";
    if (this.#takeIf("{")) {
      while (this.#next !== "}") digits += this.#take();
      this.#take();
    } else digits = this.#take() + this.#take();
    const code = /^[0-9A-Fa-f]{1,6}$/.test(digits) ? Number.parseInt(digits, 16) : Number.POSITIVE_INFINITY;
    if (code > 0x10ffff) throw new PatternInvalid(`"\\x${digits}" is no sign`);
    return String.fromCodePoint(code);
  }

  /** After the opening bracket. */
  #bracketed(): Matcher {
    const negated = this.#takeIf("^");
    const parts: Matcher[] = [];
    for (let first = true; first || this.#next !== "]"; first = false) {
      const posix = /^\[:(\^?)(\w+):\]/.exec(this.#signs.slice(this.#at, this.#at + 16).join(""));
      if (posix) {
        const has = posixClass(posix[2] ?? "", posix[1] === "^");
        if (!has) throw new PatternInvalid(`no class "${posix[2]}" of signs is known`);
        this.#at += posix[0].length;
        parts.push(has);
      } else parts.push(this.#rangeOrClass());
    }
    this.#take();
    return (code) => parts.some((has) => has(code)) !== negated;
  }

  #rangeOrClass(): Matcher {
    const sign = this.#take();
    const shorthand = sign === "\\" ? this.#shorthand() : undefined;
    if (shorthand) return shorthand;
    const low = sign === "\\" ? this.#literal() : sign;
    if (this.#next !== "-" || this.#signs[this.#at + 1] === "]") return only(low);
    this.#take();
    const end = this.#take();
    const high = end === "\\" ? this.#literal() : end;
    const [from, to] = [low.codePointAt(0) ?? 0, high.codePointAt(0) ?? 0];
    if (to < from) throw new PatternInvalid(`the range ${low}-${high} is empty`);
    return (code) => code >= from && code <= to;
  }
}

function only(sign: string): Matcher {
  const wanted = sign.codePointAt(0);
  return (code) => code === wanted;
}
