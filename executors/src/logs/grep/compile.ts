import type { CharSet } from "./char-set.ts";
import { type Node, PatternError, type Place } from "./parse.ts";

/** One step of a pattern's program; numbers are indices of steps. */
export type Step =
  | { readonly type: "take"; readonly set: CharSet; readonly next: number }
  | { readonly type: "split"; readonly nexts: readonly number[] }
  | { readonly type: "stand"; readonly place: Place; readonly next: number }
  | { readonly type: "found" };

export interface Program {
  readonly steps: readonly Step[];
  readonly first: number;
}

/** Steps of a program: a bound on what one character of a line may cost. */
export const stepsMax = 500;

/** Thompson's construction, from the end to the beginning. O(steps). */
export function compilePattern(node: Node): Program {
  const steps: Step[] = [];
  const add = (step: Step): number => {
    if (steps.length >= stepsMax) throw new PatternError("too complex: fewer or smaller repetitions, please");
    return steps.push(step) - 1;
  };
  const build = (part: Node, next: number): number => {
    switch (part.type) {
      case "set":
        return add({ type: "take", set: part.set, next });
      case "place":
        return add({ type: "stand", place: part.place, next });
      case "sequence":
        return part.parts.reduceRight((after, each) => build(each, after), next);
      case "choice":
        return add({ type: "split", nexts: part.parts.map((each) => build(each, next)) });
      case "repeat":
        return repeat(part.part, part.min, part.max, next);
    }
  };
  const repeat = (part: Node, min: number, max: number, next: number): number => {
    let at = next;
    if (max === Number.POSITIVE_INFINITY) {
      const nexts = [next];
      at = add({ type: "split", nexts });
      nexts.push(build(part, at));
    } else for (let count = max; count > min; count--) at = add({ type: "split", nexts: [build(part, at), next] });
    for (let count = 0; count < min; count++) at = build(part, at);
    return at;
  };
  const found = add({ type: "found" });
  return { first: build(node, found), steps };
}
