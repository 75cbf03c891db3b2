import { suggest } from "../text/suggest.ts";
import { TemplateFault } from "./fault.ts";
import { functionNames, functionShape, refusedFunctions } from "./function-shapes.ts";
import { templateDepthMax, templateLengthMax } from "./limits.ts";
import { type Delimiters, plainDelimiters, type Segment, scan, type Token } from "./scan.ts";
import type { Command, Node, Operand, Pipe, Place, Template } from "./tree.ts";

/**
 * A template of the language that Nomad's jobs know, as far as Muster has it. What it does not have is refused here, where
 * it is written. Throws TemplateFault. O(length).
 */
export function parseTemplate(text: string, delimiters: Delimiters = plainDelimiters): Template {
  if (text.length > templateLengthMax)
    throw new TemplateFault(`the template has ${text.length} characters, at most ${templateLengthMax}`, 0, 0);
  return new Parser(text, scan(text, delimiters)).template();
}

type Action = Extract<Segment, { kind: "action" }>;

const keywords = ["if", "else", "end", "range", "with", "define", "template", "block", "break", "continue"];

class Parser {
  readonly #text: string;
  readonly #segments: readonly Segment[];
  readonly #named = new Map<string, readonly Node[]>();
  readonly #calls: { readonly name: string; readonly place: Place }[] = [];
  /** Names of variables, innermost last. */
  #scopes: Set<string>[] = [new Set([""])];
  #at = 0;
  #loops = 0;
  #depth = 0;

  constructor(text: string, segments: readonly Segment[]) {
    this.#text = text;
    this.#segments = segments;
  }

  template(): Template {
    const { nodes, end } = this.#nodes(true);
    if (end) throw new TemplateFault(`{{ ${wordOf(end)} }} ends nothing`, end.start, end.end);
    for (const { name, place } of this.#calls)
      if (!this.#named.has(name))
        throw new TemplateFault(
          `no template "${name}" is defined`,
          place.start,
          place.end,
          `add {{ define "${name}" }}`,
        );
    return { text: this.#text, nodes, named: this.#named };
  }

  /** Up to an `else` or `end` that belongs to whoever asked. */
  #nodes(isTop = false): { readonly nodes: Node[]; readonly end: Action | undefined } {
    const nodes: Node[] = [];
    for (let segment = this.#segments[this.#at]; segment; segment = this.#segments[this.#at]) {
      this.#at++;
      if (segment.kind === "text") {
        nodes.push(segment);
        continue;
      }
      const word = wordOf(segment);
      if (word === "end" || word === "else") return { nodes, end: segment };
      const node = this.#action(segment, word, isTop);
      if (node) nodes.push(node);
    }
    return { nodes, end: undefined };
  }

  #action(action: Action, word: string, isTop: boolean): Node | undefined {
    const rest = new Tokens(action, 1);
    switch (word) {
      case "if":
      case "with":
      case "range":
        return this.#block(action, word, rest);
      case "break":
      case "continue":
        if (this.#loops === 0) throw new TemplateFault(`{{ ${word} }} stands in no range`, action.start, action.end);
        rest.finish();
        return { kind: word };
      case "define": {
        if (!isTop) throw new TemplateFault("{{ define }} stands at the top of a template", action.start, action.end);
        const name = rest.text("the name of the template");
        rest.finish();
        const scopes = this.#scopes;
        this.#scopes = [new Set([""])];
        const { nodes, end } = this.#within(action, () => this.#nodes());
        this.#scopes = scopes;
        this.#close(action, end);
        this.#named.set(name, nodes);
        return undefined;
      }
      case "template": {
        const name = rest.text("the name of a template");
        this.#calls.push({ name, place: action });
        return { kind: "call", name, pipe: rest.isOver() ? undefined : this.#lastPipe(rest), place: action };
      }
      case "block":
        throw new TemplateFault(
          "{{ block }} is not available",
          action.start,
          action.end,
          "write {{ define }} and {{ template }}",
        );
      default:
        return this.#plain(action);
    }
  }

  #plain(action: Action): Node {
    const tokens = new Tokens(action, 0);
    if (tokens.isOver()) throw new TemplateFault("the action is empty", action.start, action.end);
    const [first, second] = action.tokens;
    if (first?.kind === "variable" && second?.kind === "sign" && (second.text === ":=" || second.text === "=")) {
      const declares = second.text === ":=";
      const rest = new Tokens(action, 2);
      const pipe = this.#lastPipe(rest);
      if (declares) this.#declare(first.text);
      else this.#known(first.text, first);
      return { kind: "assign", name: first.text, declares, pipe };
    }
    return { kind: "print", pipe: this.#lastPipe(tokens) };
  }

  #block(action: Action, kind: "if" | "with" | "range", rest: Tokens): Node {
    return this.#within(action, () => {
      this.#scopes.push(new Set());
      const bindings = bindingsOf(rest);
      if (kind !== "range" && bindings.length > 1)
        throw new TemplateFault(`{{ ${kind} }} takes one variable`, action.start, action.end);
      const pipe = this.#lastPipe(rest);
      for (const name of bindings) this.#declare(name);
      if (kind === "range") this.#loops++;
      this.#scopes.push(new Set());
      const { nodes: body, end } = this.#nodes();
      this.#scopes.pop();
      if (kind === "range") this.#loops--;
      const otherwise = this.#otherwise(action, end);
      this.#scopes.pop();
      const asked = otherwise === undefined ? pipe : { ...pipe, hasElse: true };
      if (kind === "range") return { kind, bindings, pipe: asked, body, otherwise };
      return { kind, binding: bindings[0], pipe: asked, body, otherwise };
    });
  }

  #otherwise(action: Action, end: Action | undefined): readonly Node[] | undefined {
    if (!end || wordOf(end) === "end") {
      this.#close(action, end);
      return undefined;
    }
    const rest = new Tokens(end, 1);
    const again = rest.peek();
    this.#scopes.push(new Set());
    try {
      if (again?.kind === "word" && (again.text === "if" || again.text === "with")) {
        rest.next();
        return [this.#block(end, again.text, rest)];
      }
      rest.finish();
      const { nodes, end: last } = this.#nodes();
      if (last && wordOf(last) === "else") throw new TemplateFault("a second {{ else }}", last.start, last.end);
      this.#close(action, last);
      return nodes;
    } finally {
      this.#scopes.pop();
    }
  }

  #close(action: Action, end: Action | undefined): void {
    if (!end)
      throw new TemplateFault(`{{ ${wordOf(action)} }} has no {{ end }}`, action.start, action.end, "add {{ end }}");
    if (wordOf(end) === "else") throw new TemplateFault("{{ else }} belongs to nothing", end.start, end.end);
    new Tokens(end, 1).finish();
  }

  #within<T>(place: Place, read: () => T): T {
    if (++this.#depth > templateDepthMax)
      throw new TemplateFault(`more than ${templateDepthMax} levels within each other`, place.start, place.end);
    try {
      return read();
    } finally {
      this.#depth--;
    }
  }

  #declare(name: string): void {
    this.#scopes.at(-1)?.add(name);
  }

  #known(name: string, place: Place): void {
    if (this.#scopes.some((scope) => scope.has(name))) return;
    throw new TemplateFault(`no variable $${name}`, place.start, place.end, `declare it: {{ $${name} := … }}`);
  }

  #lastPipe(tokens: Tokens): Pipe {
    const pipe = this.#pipe(tokens);
    tokens.finish();
    return pipe;
  }

  #pipe(tokens: Tokens): Pipe {
    const commands: Command[] = [];
    do commands.push(this.#command(tokens, commands.length > 0));
    while (tokens.takeSign("|"));
    return { commands, ...spanOf(commands) };
  }

  #command(tokens: Tokens, isPiped: boolean): Command {
    const head = this.#operand(tokens);
    const given: Operand[] = [];
    while (tokens.beginsOperand()) given.push(this.#operand(tokens));
    const command = { head, arguments: given, ...spanOf([head, ...given]) };
    if (head.kind === "function") checkCount(head, given.length + (isPiped ? 1 : 0));
    else if (head.kind !== "field" && (given.length > 0 || isPiped))
      throw new TemplateFault("only a function takes arguments", head.start, head.end);
    for (const one of given) if (one.kind === "function") checkCount(one, 0);
    return command;
  }

  #operand(tokens: Tokens): Operand {
    let made = this.#simple(tokens);
    for (let next = tokens.peek(); next?.kind === "field" && next.start === made.end; next = tokens.peek()) {
      tokens.next();
      made = { kind: "field", of: made, name: next.text, start: made.start, end: next.end };
    }
    return made;
  }

  #simple(tokens: Tokens): Operand {
    const token = tokens.next();
    const { start, end } = token;
    switch (token.kind) {
      case "literal":
        return { kind: "literal", value: token.value, start, end };
      case "field":
        return { kind: "field", of: { kind: "dot", start, end: start }, name: token.text, start, end };
      case "variable":
        this.#known(token.text, token);
        return { kind: "variable", name: token.text, start, end };
      case "word":
        return this.#word(token.text, token);
      default:
        if (token.text === ".") return { kind: "dot", start, end };
        if (token.text !== "(") throw new TemplateFault(`"${token.text}" can't stand here`, start, end);
        return this.#within(token, () => {
          const pipe = this.#pipe(tokens);
          const close = tokens.next();
          if (close.kind !== "sign" || close.text !== ")")
            throw new TemplateFault("the parenthesis is not closed", start, end, "add )");
          return { kind: "pipe", pipe, start, end: close.end };
        });
    }
  }

  #word(word: string, { start, end }: Place): Operand {
    if (word === "true" || word === "false") return { kind: "literal", value: word === "true", start, end };
    if (word === "nil") return { kind: "literal", value: null, start, end };
    if (functionShape(word)) return { kind: "function", name: word, start, end };
    const refusal = Object.hasOwn(refusedFunctions, word) ? refusedFunctions[word] : undefined;
    if (refusal) throw new TemplateFault(`${word}: ${refusal.reason}`, start, end, refusal.instead);
    if (word.startsWith("sprig_"))
      throw new TemplateFault(`${word}: Sprig's functions are not available`, start, end, "compute it in the task");
    const near = suggest(word, [...functionNames, ...keywords]);
    throw new TemplateFault(`no function "${word}"`, start, end, near && `did you mean ${near}?`);
  }
}

function checkCount({ name, start, end }: Extract<Operand, { kind: "function" }>, count: number): void {
  const shape = functionShape(name);
  if (!shape || (count >= shape.min && count <= shape.max)) return;
  const wanted =
    shape.min === shape.max
      ? String(shape.min)
      : shape.max === Number.POSITIVE_INFINITY
        ? `at least ${shape.min}`
        : `${shape.min} to ${shape.max}`;
  throw new TemplateFault(
    `${name} takes ${wanted} arguments, not ${count}`,
    start,
    end,
    `write ${name} ${shape.usage}`.trimEnd(),
  );
}

/** `$v :=`, or `$i, $v :=`. */
function bindingsOf(tokens: Tokens): string[] {
  const names: string[] = [];
  for (let ahead = 0; ; ahead += 2) {
    const name = tokens.peek(ahead);
    const sign = tokens.peek(ahead + 1);
    if (name?.kind !== "variable" || sign?.kind !== "sign") return [];
    names.push(name.text);
    if (sign.text === ":=") {
      for (let taken = 0; taken <= ahead + 1; taken++) tokens.next();
      return names;
    }
    if (sign.text !== "," || names.length > 1) return [];
  }
}

function wordOf({ tokens }: Action): string {
  const [first] = tokens;
  return first?.kind === "word" ? first.text : "";
}

function spanOf(parts: readonly Place[]): Place {
  return { start: parts[0]?.start ?? 0, end: parts.at(-1)?.end ?? 0 };
}

class Tokens {
  readonly #action: Action;
  #at: number;

  constructor(action: Action, from: number) {
    this.#action = action;
    this.#at = from;
  }

  peek(ahead = 0): Token | undefined {
    return this.#action.tokens[this.#at + ahead];
  }

  next(): Token {
    const token = this.#action.tokens[this.#at++];
    if (token) return token;
    const { start, end } = this.#action;
    throw new TemplateFault("something is missing at the end of the action", start, end);
  }

  isOver(): boolean {
    return this.#at >= this.#action.tokens.length;
  }

  finish(): void {
    const token = this.peek();
    if (token) throw new TemplateFault("this can't stand here", token.start, token.end);
  }

  takeSign(text: string): boolean {
    const token = this.peek();
    if (token?.kind !== "sign" || token.text !== text) return false;
    this.#at++;
    return true;
  }

  beginsOperand(): boolean {
    const token = this.peek();
    return token !== undefined && (token.kind !== "sign" || token.text === "(" || token.text === ".");
  }

  /** A quoted text. */
  text(what: string): string {
    const token = this.next();
    if (token.kind === "literal" && typeof token.value === "string") return token.value;
    throw new TemplateFault(`${what} is missing`, token.start, token.end, 'write it in ""');
  }
}
