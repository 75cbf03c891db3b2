import type { Matcher } from "./classes.ts";
import { type Assertion, type Node, PatternInvalid, parsePattern } from "./parse.ts";

export type Instruction =
  | { readonly kind: "set"; readonly has: Matcher }
  | { readonly kind: "assert"; readonly at: Assertion }
  | { readonly kind: "save"; readonly slot: number }
  | { readonly kind: "jump"; to: number }
  /** Goes on at both; `first` is preferred. */
  | { readonly kind: "split"; first: number; second: number }
  | { readonly kind: "match" };

export interface Program {
  readonly instructions: readonly Instruction[];
  /** Names of the groups from 1 on. */
  readonly names: readonly (string | undefined)[];
}

/** Instructions of one pattern: repetitions are written out, so `(a{100}){100}` is too large. */
export const instructionsMax = 2000;

/** Throws `PatternInvalid`. */
export function compilePattern(text: string): Program {
  const { root, names } = parsePattern(text);
  const instructions: Instruction[] = [];
  emit({ kind: "group", index: 0, inner: root }, instructions);
  add(instructions, { kind: "match" });
  return { instructions, names };
}

function add<T extends Instruction>(instructions: Instruction[], instruction: T): T {
  if (instructions.length >= instructionsMax) throw new PatternInvalid(`it has more than ${instructionsMax} steps`);
  instructions.push(instruction);
  return instruction;
}

function emit(node: Node, out: Instruction[]): void {
  switch (node.kind) {
    case "set":
    case "assert":
      add(out, node);
      return;
    case "group":
      add(out, { kind: "save", slot: node.index * 2 });
      emit(node.inner, out);
      add(out, { kind: "save", slot: node.index * 2 + 1 });
      return;
    case "concat":
      for (const part of node.parts) emit(part, out);
      return;
    case "alternate":
      emitAlternate(node.parts, out);
      return;
    case "repeat":
      emitRepeat(node, out);
  }
}

function emitAlternate(parts: readonly Node[], out: Instruction[]): void {
  const ends: { to: number }[] = [];
  for (const [index, part] of parts.entries()) {
    if (index === parts.length - 1) {
      emit(part, out);
      break;
    }
    const split = add(out, { kind: "split", first: out.length + 1, second: 0 });
    emit(part, out);
    ends.push(add(out, { kind: "jump", to: 0 }));
    split.second = out.length;
  }
  for (const end of ends) end.to = out.length;
}

function emitRepeat(node: Node & { kind: "repeat" }, out: Instruction[]): void {
  const { inner, min, max, greedy } = node;
  for (let count = 0; count < min; count++) emit(inner, out);
  if (max === Number.POSITIVE_INFINITY) {
    const at = out.length;
    const split = add(out, { kind: "split", first: at + 1, second: at + 1 });
    emit(inner, out);
    add(out, { kind: "jump", to: at });
    if (greedy) split.second = out.length;
    else split.first = out.length;
    return;
  }
  const splits: { first: number; second: number }[] = [];
  for (let count = min; count < max; count++) {
    splits.push(add(out, { kind: "split", first: out.length + 1, second: out.length + 1 }));
    emit(inner, out);
  }
  for (const split of splits) {
    if (greedy) split.second = out.length;
    else split.first = out.length;
  }
}
