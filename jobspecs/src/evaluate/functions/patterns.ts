import { PatternInvalid } from "../regex/parse.ts";
import { compilePattern, type Program } from "../regex/program.ts";
import { type Captures, SearchTooLong, search } from "../regex/search.ts";
import type { Surroundings } from "../scope.ts";
import { listValue, mapValue, nullValue, stringValue, type Value } from "../value.ts";
import { FunctionFailure, type FunctionTable, textLengthMax, textOf } from "./kit.ts";

/** Steps of one call: a sign of the text counts one for each place of the pattern that it may stand for. */
export const searchStepsMax = 400_000;

/** A step of a search is so much cheaper than an evaluated expression: all that a compilation may spend is one long search. */
const searchStepsPerStep = 2;

export const patternFunctions: FunctionTable = {
  regex: {
    min: 2,
    max: 2,
    run: (args, around) => {
      const program = compiled(textOf(args, 0));
      const text = codesOf(textOf(args, 1));
      const [first] = matches(program, text, 1, around);
      if (!first) throw new FunctionFailure("the pattern matches nothing in the text", 1);
      return matchValue(program, text, first);
    },
  },
  regexall: {
    min: 2,
    max: 2,
    run: (args, around) => {
      const program = compiled(textOf(args, 0));
      const text = codesOf(textOf(args, 1));
      return listValue(
        matches(program, text, text.length + 1, around).map((found) => matchValue(program, text, found)),
      );
    },
  },
  regex_replace: {
    min: 3,
    max: 3,
    run: (args, around) => {
      const program = compiled(textOf(args, 1), 1);
      const text = codesOf(textOf(args, 0));
      let made = "";
      let end = 0;
      for (const found of matches(program, text, text.length + 1, around)) {
        made += cut(text, end, found[0] ?? 0) + expand(textOf(args, 2), program, text, found);
        if (made.length > textLengthMax) throw new FunctionFailure("the result is too long");
        end = found[1] ?? 0;
      }
      return stringValue(made + cut(text, end, text.length));
    },
  },
};

function compiled(pattern: string, argument = 0): Program {
  try {
    return compilePattern(pattern);
  } catch (error) {
    if (!(error instanceof PatternInvalid)) throw error;
    throw new FunctionFailure(`the pattern is no regular expression: ${error.message}`, argument);
  }
}

const codesOf = (text: string): number[] => Array.from(text, (sign) => sign.codePointAt(0) ?? 0);

/** In pieces: one call takes only so many arguments. */
function cut(text: readonly number[], from: number, to: number): string {
  let made = "";
  for (let at = from; at < to; at += 4096) made += String.fromCodePoint(...text.slice(at, Math.min(to, at + 4096)));
  return made;
}

function matches(program: Program, text: readonly number[], limit: number, around: Surroundings): Captures[] {
  const budget = { left: searchStepsMax };
  const found: Captures[] = [];
  try {
    let from = 0;
    let last = -1;
    while (from <= text.length && found.length < limit) {
      const next = search(program, text, from, budget);
      if (!next) break;
      const [start = 0, end = 0] = next;
      // An empty match right at the end of the one before is none of its own.
      if (start !== end || start !== last) found.push(next);
      last = end;
      from = start === end ? end + 1 : end;
    }
  } catch (error) {
    if (!(error instanceof SearchTooLong)) throw error;
    throw new FunctionFailure(`the search takes more than ${searchStepsMax} steps`);
  } finally {
    around.effort.stepsLeft -= Math.ceil((searchStepsMax - budget.left) / searchStepsPerStep);
  }
  return found;
}

/** The whole match; with groups a list of theirs, with named ones an object. */
function matchValue(program: Program, text: readonly number[], found: Captures): Value {
  const group = (index: number): Value => {
    const [start = -1, end = -1] = found.slice(index * 2, index * 2 + 2);
    return start < 0 ? nullValue : stringValue(cut(text, start, end));
  };
  if (program.names.length === 0) return group(0);
  const named = program.names.flatMap((name, at) => (name === undefined ? [] : [[name, group(at + 1)] as const]));
  if (named.length > 0 && named.length < program.names.length)
    throw new FunctionFailure("either all groups have names or none");
  return named.length > 0 ? mapValue(named) : listValue(program.names.map((_, at) => group(at + 1)));
}

/** `$1`, `$name` and `${name}` stand for groups, `$$` for a dollar sign. */
function expand(template: string, program: Program, text: readonly number[], found: Captures): string {
  return template.replace(/\$(?:(\$)|(\w+)|\{(\w+)\})/g, (_, dollar, bare, braced) => {
    if (dollar !== undefined) return "$";
    const name = bare ?? braced;
    const index = /^\d+$/.test(name) ? Number(name) : program.names.indexOf(name) + 1;
    if (index === 0 && name !== "0") return "";
    const [start = -1, end = -1] = found.slice(index * 2, index * 2 + 2);
    return start < 0 ? "" : cut(text, start, end);
  });
}
