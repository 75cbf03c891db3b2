import { codeMax, contains, words } from "./char-set.ts";
import { compilePattern, type Program } from "./compile.ts";
import { type Place, parsePattern } from "./parse.ts";

/** States that are remembered; beyond, all are forgotten and found anew. */
const statesMax = 1_000;

/** What stands before a place in a line, or after it. */
type Side = "edge" | "word" | "other";

interface State {
  /** Steps that wait for the next character, before it is known where they may go. */
  readonly waiting: readonly number[];
  readonly before: Side;
  /** By class of the next character; the last is the end of the line. `true`: the line matches. */
  readonly after: (State | boolean | undefined)[];
}

/**
 * Whether lines match a pattern: a regular expression in JavaScript's notation, without references and look-around.
 * Time is O(characters) once the states that a text leads to are known, and never more than O(characters × steps): no
 * pattern can hold its user up, as backtracking would.
 */
export class Matcher {
  readonly #program: Program;
  /** Characters that the pattern can't tell apart have one class. */
  readonly #classOfAscii = new Uint16Array(128);
  /** The first character of each class. */
  readonly #starts: readonly number[];
  readonly #sides: readonly Side[];
  #states = new Map<string, State>();
  #first: State;
  #workCount = 0;

  /** Throws a PatternError. */
  constructor(pattern: string) {
    this.#program = compilePattern(parsePattern(pattern));
    const starts = new Set([0]);
    const sets = this.#program.steps.flatMap((step) => (step.type === "take" ? [step.set] : []));
    for (const [first, last] of [...sets, words].flat()) {
      starts.add(first);
      if (last < codeMax) starts.add(last + 1);
    }
    this.#starts = [...starts].sort((a, b) => a - b);
    this.#sides = this.#starts.map((code) => (contains(words, code) ? "word" : "other"));
    for (let code = 0; code < 128; code++) this.#classOfAscii[code] = this.#findClass(code);
    this.#first = this.#state([this.#program.first], "edge");
  }

  /** Steps that the pattern consists of. */
  get stepCount(): number {
    return this.#program.steps.length;
  }

  /** Steps that have been looked at so far, over all lines: what the states cost that are remembered. */
  get workCount(): number {
    return this.#workCount;
  }

  matches(line: string): boolean {
    let state = this.#first;
    for (let at = 0; at < line.length; at++) {
      const code = line.charCodeAt(at);
      const next = this.#after(state, code < 128 ? (this.#classOfAscii[code] ?? 0) : this.#findClass(code));
      if (typeof next === "boolean") return next;
      state = next;
    }
    return this.#after(state, this.#starts.length) === true;
  }

  #findClass(code: number): number {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] ?? 0) <= code) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #after(state: State, kind: number): State | boolean {
    const known = state.after[kind];
    if (known !== undefined) return known;
    const found = this.#find(state, kind);
    state.after[kind] = found;
    return found;
  }

  #find(state: State, kind: number): State | boolean {
    const isEnd = kind === this.#starts.length;
    const side: Side = isEnd ? "edge" : (this.#sides[kind] ?? "other");
    const reached = new Set<number>();
    const stack = [...state.waiting];
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      this.#workCount++;
      if (reached.has(at)) continue;
      reached.add(at);
      const step = this.#program.steps[at];
      if (step?.type === "found") return true;
      if (step?.type === "split") stack.push(...step.nexts);
      else if (step?.type === "stand" && holds(step.place, state.before, side)) stack.push(step.next);
    }
    if (isEnd) return false;
    // A match may begin at every character.
    const waiting = new Set([this.#program.first]);
    const code = this.#starts[kind] ?? 0;
    for (const at of reached) {
      const step = this.#program.steps[at];
      if (step?.type === "take" && contains(step.set, code)) waiting.add(step.next);
    }
    return this.#state([...waiting], side);
  }

  #state(waiting: number[], before: Side): State {
    const key = `${before} ${waiting.sort((a, b) => a - b).join(" ")}`;
    const known = this.#states.get(key);
    if (known) return known;
    if (this.#states.size >= statesMax) {
      this.#states = new Map();
      // Those that are still held know each other; letting go of the first lets go of all.
      this.#first = { waiting: [this.#program.first], before: "edge", after: [] };
    }
    const state: State = { waiting, before, after: [] };
    this.#states.set(key, state);
    return state;
  }
}

function holds(place: Place, before: Side, after: Side): boolean {
  switch (place) {
    case "begin":
      return before === "edge";
    case "end":
      return after === "edge";
    case "word-edge":
      return (before === "word") !== (after === "word");
    case "no-word-edge":
      return (before === "word") === (after === "word");
  }
}
