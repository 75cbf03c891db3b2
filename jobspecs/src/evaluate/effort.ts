import type { Span } from "../diagnostics/diagnostic.ts";
import { elementsMax, textLengthMax } from "./functions/kit.ts";
import { fail, type Scope } from "./scope.ts";
import { kindName, sizeOf, type Value } from "./value.ts";

/**
 * Steps of one compilation: an evaluated expression counts one, a value that a function makes as many as it is large.
 * Beyond: `evaluate/too-much`. A file of 50,000 nodes stays below; loops within loops within loops do not.
 */
export const stepsMax = 200_000;

/** A call that fails counts so many, since it may have worked long before. */
export const failureSteps = 1000;

/** What is left of a compilation's steps. */
export interface Effort {
  stepsLeft: number;
}

/** Thrown through evaluation alone: nothing more is computed. */
export class EffortSpent extends Error {
  readonly span: Span;

  constructor(span: Span) {
    super("too many steps");
    this.span = span;
  }
}

export function spend(scope: Scope, steps: number, span: Span): void {
  const { effort } = scope.surroundings;
  effort.stepsLeft -= steps;
  if (effort.stepsLeft < 0) throw new EffortSpent(span);
}

/** Texts and lists that double from local to local must end somewhere. */
export function limited(value: Value, span: Span, scope: Scope): Value {
  const isText = value.kind === "string";
  if (isText ? value.text.length <= textLengthMax : sizeOf(value) <= elementsMax) return value;
  return fail(scope, span, { code: "evaluate/too-long", summary: `the ${kindName(value)} becomes too long` });
}
