import { isWord } from "./classes.ts";
import type { Assertion } from "./parse.ts";
import type { Program } from "./program.ts";

/** Offsets of the whole match and of its groups, two per group, in code points; -1 where a group took no part. */
export type Captures = readonly number[];

/** Counted down by every step of a search. */
export interface SearchBudget {
  left: number;
}

/** The budget was used up. */
export class SearchTooLong extends Error {}

interface Thread {
  readonly at: number;
  readonly captures: number[];
}

/**
 * The leftmost match from `from` on, of several the one that a backtracking matcher would find first. All ways through
 * the program go forward together, so no pattern can explode: O(length of the text * instructions).
 */
export function search(
  program: Program,
  text: readonly number[],
  from: number,
  budget: SearchBudget,
): Captures | undefined {
  const { instructions } = program;
  const empty = new Array<number>((program.names.length + 1) * 2).fill(-1);
  const marks = new Int32Array(instructions.length).fill(-1);
  let found: number[] | undefined;
  let threads: Thread[] = [];
  for (let position = from; position <= text.length; position++) {
    const ready: Thread[] = [];
    for (const thread of threads) follow(ready, thread, position);
    // Threads that began earlier come first; once something matched nothing later may begin.
    if (!found) follow(ready, { at: 0, captures: empty }, position);
    threads = [];
    for (const { at, captures } of ready) {
      const instruction = instructions[at];
      if (instruction?.kind === "match") {
        found = captures;
        break;
      }
      if (instruction?.kind === "set" && position < text.length && instruction.has(text[position] ?? 0))
        threads.push({ at: at + 1, captures });
    }
    if (threads.length === 0 && found) break;
  }
  return found;

  /** Adds what can be reached without reading, in order of preference. */
  function follow(ready: Thread[], thread: Thread, position: number): void {
    const open = [thread];
    for (let next = open.pop(); next; next = open.pop()) {
      const { at, captures } = next;
      if (marks[at] === position) continue;
      marks[at] = position;
      if (--budget.left < 0) throw new SearchTooLong();
      const instruction = instructions[at];
      switch (instruction?.kind) {
        case "jump":
          open.push({ at: instruction.to, captures });
          break;
        case "split":
          open.push({ at: instruction.second, captures }, { at: instruction.first, captures });
          break;
        case "save": {
          const changed = captures.slice();
          changed[instruction.slot] = position;
          open.push({ at: at + 1, captures: changed });
          break;
        }
        case "assert":
          if (holds(instruction.at, text, position)) open.push({ at: at + 1, captures });
          break;
        default:
          ready.push(next);
      }
    }
  }
}

function holds(assertion: Assertion, text: readonly number[], position: number): boolean {
  const before = text[position - 1];
  const after = text[position];
  switch (assertion) {
    case "text-start":
      return position === 0;
    case "text-end":
      return position === text.length;
    case "line-start":
      return position === 0 || before === 10;
    case "line-end":
      return position === text.length || after === 10;
    default: {
      const isEdge = (before !== undefined && isWord(before)) !== (after !== undefined && isWord(after));
      return isEdge === (assertion === "word");
    }
  }
}
