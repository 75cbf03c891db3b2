import { numberValue, type Value } from "../value.ts";
import { FunctionFailure, type FunctionTable, integerOf, many, numberOf, textOf } from "./kit.ts";

const one = (change: (number: number) => number) => ({
  min: 1,
  max: 1,
  run: (args: readonly Value[]) => finite(change(numberOf(args, 0))),
});

function finite(number: number): Value {
  if (!Number.isFinite(number)) throw new FunctionFailure("the result is no number");
  return numberValue(number === 0 ? 0 : number);
}

export const numberFunctions: FunctionTable = {
  abs: one(Math.abs),
  ceil: one(Math.ceil),
  floor: one(Math.floor),
  signum: one(Math.sign),
  log: { min: 2, max: 2, run: (args) => finite(logarithm(numberOf(args, 0), numberOf(args, 1))) },
  pow: { min: 2, max: 2, run: (args) => finite(numberOf(args, 0) ** numberOf(args, 1)) },
  max: { min: 1, max: many, run: (args) => numberValue(Math.max(...args.map((_, index) => numberOf(args, index)))) },
  min: { min: 1, max: many, run: (args) => numberValue(Math.min(...args.map((_, index) => numberOf(args, index)))) },
  parseint: {
    min: 2,
    max: 2,
    run: (args) => {
      const text = textOf(args, 0);
      const base = integerOf(args, 1);
      if (base < 2 || base > 36) throw new FunctionFailure("the base is 2 to 36", 1);
      const number = Number.parseInt(text, base);
      const digits = text
        .replace(/^[+-]/, "")
        .toLowerCase()
        .replace(/^0+(?=.)/, "");
      if (Math.abs(number).toString(base) !== digits) throw new FunctionFailure(`"${text}" is no number of that base`);
      return numberValue(number);
    },
  },
};

function logarithm(number: number, base: number): number {
  const exact = base === 10 ? Math.log10(number) : base === 2 ? Math.log2(number) : Math.log(number) / Math.log(base);
  return Number(exact.toPrecision(15));
}
