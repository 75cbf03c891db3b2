import { PatternFault, type PatternNode, parsePattern } from "./pattern-syntax.ts";

/** Steps of the program that a pattern becomes: repetitions with numbers are written out. */
export const patternStepsMax = 500;
/** Parts that are written out, those included that become no step, as an empty pair of parentheses. */
const patternPartsMax = 5_000;
/** Levels of parentheses. */
export const patternDepthMax = 50;

/** A regular expression that is matched in time proportional to the text, whatever it says. */
export interface Pattern {
  /** Whether the whole text is what the pattern says. O(text x steps of the pattern). */
  matches(text: string): boolean;
}

type Step =
  | { readonly type: "one"; readonly holds: (code: number) => boolean }
  | { readonly type: "split"; first: number; second: number }
  | { readonly type: "begin" | "end" | "matched" };

interface Program {
  readonly steps: Step[];
  partCount: number;
}

/**
 * Makes a pattern of JavaScript's syntax ready, or says what is wrong with it. Patterns come from outside, and the
 * engine's own expressions may take time without end: these are run as sets of states instead of by trying. What that
 * can't do is refused: looking around, referring back.
 */
export function compilePattern(source: string): Pattern | PatternFault {
  try {
    const program: Program = { steps: [], partCount: 0 };
    emit(parsePattern(source), program, 0);
    program.steps.push({ type: "matched" });
    return { matches: (text) => run(program.steps, text) };
  } catch (error) {
    if (error instanceof PatternFault) return error;
    throw error;
  }
}

function emit(node: PatternNode, program: Program, depth: number): void {
  if (depth > patternDepthMax) throw new PatternFault(`must not nest deeper than ${patternDepthMax}`);
  if (program.steps.length > patternStepsMax || ++program.partCount > patternPartsMax)
    throw new PatternFault("is too large with its repetitions written out");
  if (node.type === "sequence") for (const item of node.items) emit(item, program, depth + 1);
  else if (node.type === "choice") emitChoice(node.items, program, depth + 1);
  else if (node.type === "repeat") emitRepeat(node.item, node.min, node.max, program, depth + 1);
  else program.steps.push(node);
}

function emitChoice(items: readonly PatternNode[], program: Program, depth: number): void {
  const { steps } = program;
  const jumps: Extract<Step, { type: "split" }>[] = [];
  for (const [index, item] of items.entries()) {
    if (index === items.length - 1) {
      emit(item, program, depth);
      break;
    }
    const split = pushSplit(steps);
    emit(item, program, depth);
    jumps.push(pushSplit(steps));
    split.second = steps.length;
  }
  for (const jump of jumps) jump.first = jump.second = steps.length;
}

function emitRepeat(item: PatternNode, min: number, max: number, program: Program, depth: number): void {
  const { steps } = program;
  for (let i = 0; i < min; i++) emit(item, program, depth);
  if (max === Number.POSITIVE_INFINITY) {
    const start = steps.length;
    const split = pushSplit(steps);
    emit(item, program, depth);
    const back = pushSplit(steps);
    back.first = back.second = start;
    split.second = steps.length;
    return;
  }
  const exits: Extract<Step, { type: "split" }>[] = [];
  for (let i = min; i < max; i++) {
    exits.push(pushSplit(steps));
    emit(item, program, depth);
  }
  for (const exit of exits) exit.second = steps.length;
}

/** Goes on behind itself, or wherever its second way is set to. */
function pushSplit(steps: Step[]): Extract<Step, { type: "split" }> {
  if (steps.length > patternStepsMax) throw new PatternFault("is too large with its repetitions written out");
  const split = { type: "split" as const, first: steps.length + 1, second: steps.length + 1 };
  steps.push(split);
  return split;
}

/** All states at once, letter by letter: none is visited twice for one letter. */
function run(steps: readonly Step[], text: string): boolean {
  const seenAt = new Int32Array(steps.length).fill(-1);
  let states: number[] = [];
  const enter = (from: number, at: number, into: number[]): void => {
    const waiting = [from];
    for (let index = waiting.pop(); index !== undefined; index = waiting.pop()) {
      if (seenAt[index] === at) continue;
      seenAt[index] = at;
      const step = steps[index] as Step;
      if (step.type === "split") waiting.push(step.second, step.first);
      else if (step.type === "begin") {
        if (at === 0) waiting.push(index + 1);
      } else if (step.type === "end") {
        if (at === text.length) waiting.push(index + 1);
      } else into.push(index);
    }
  };
  enter(0, 0, states);
  for (let at = 0; at < text.length && states.length > 0; at++) {
    const code = text.charCodeAt(at);
    const next: number[] = [];
    for (const index of states) {
      const step = steps[index] as Step;
      if (step.type === "one" && step.holds(code)) enter(index + 1, at + 1, next);
    }
    states = next;
  }
  return states.some((index) => (steps[index] as Step).type === "matched");
}
