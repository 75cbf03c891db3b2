import type { Surroundings } from "../scope.ts";
import { kindName, type ListValue, type MapValue, toBool, toNumber, toText, type Value } from "../value.ts";

/** A function refused its arguments; `argument` counts from 0. */
export class FunctionFailure extends Error {
  readonly argument: number;

  constructor(message: string, argument = 0) {
    super(message);
    this.argument = argument;
  }
}

export interface FunctionSpec {
  readonly min: number;
  readonly max: number;
  readonly run: (args: readonly Value[], surroundings: Surroundings) => Value;
}

export type FunctionTable = Readonly<Record<string, FunctionSpec>>;

export const many = Number.POSITIVE_INFINITY;

/** Characters of text one function may make. */
export const textLengthMax = 1024 * 1024;

/** Size (see `sizeOf`) of a list or map: elements, also those inside of elements. */
export const elementsMax = 100_000;

function wrong(args: readonly Value[], index: number, wanted: string): never {
  const value = args[index];
  throw new FunctionFailure(`needs ${wanted}, not ${value ? kindName(value) : "nothing"}`, index);
}

export function textOf(args: readonly Value[], index: number): string {
  const value = args[index];
  return (value && toText(value)) ?? wrong(args, index, "text");
}

export function numberOf(args: readonly Value[], index: number): number {
  const value = args[index];
  return (value && toNumber(value)) ?? wrong(args, index, "a number");
}

export function integerOf(args: readonly Value[], index: number): number {
  const number = numberOf(args, index);
  return Number.isInteger(number) ? number : wrong(args, index, "a whole number");
}

export function boolOf(args: readonly Value[], index: number): boolean {
  const value = args[index];
  return (value && toBool(value)) ?? wrong(args, index, "a bool");
}

export function listOf(args: readonly Value[], index: number): ListValue {
  const value = args[index];
  return value?.kind === "list" ? value : wrong(args, index, "a list");
}

export function mapOf(args: readonly Value[], index: number): MapValue {
  const value = args[index];
  return value?.kind === "map" ? value : wrong(args, index, "a map");
}

export function textsOf(args: readonly Value[], index: number): string[] {
  return listOf(args, index).items.map((item) => toText(item) ?? wrong(args, index, "a list of texts"));
}
