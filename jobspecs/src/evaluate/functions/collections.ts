import {
  boolValue,
  identity,
  isEqual,
  listValue,
  mapValue,
  numberValue,
  setValue,
  stringValue,
  unique,
  type Value,
} from "../value.ts";
import {
  elementsMax,
  FunctionFailure,
  type FunctionTable,
  integerOf,
  listOf,
  many,
  mapOf,
  numberOf,
  textOf,
  textsOf,
} from "./kit.ts";

const flat = (items: readonly Value[]): Value[] =>
  items.flatMap((item) => (item.kind === "list" ? flat(item.items) : [item]));

const isEmpty = (value: Value): boolean => value.kind === "null" || (value.kind === "string" && value.text === "");

const lists = (args: readonly Value[]): (readonly Value[])[] => args.map((_, index) => listOf(args, index).items);

export const collectionFunctions: FunctionTable = {
  length: {
    min: 1,
    max: 1,
    run: (args) => {
      const value = args[0];
      if (value?.kind === "map") return numberValue(value.entries.size);
      if (value?.kind === "list") return numberValue(value.items.length);
      return numberValue([...new Intl.Segmenter("en").segment(textOf(args, 0))].length);
    },
  },
  keys: { min: 1, max: 1, run: (args) => listValue([...mapOf(args, 0).entries.keys()].map(stringValue)) },
  values: { min: 1, max: 1, run: (args) => listValue([...mapOf(args, 0).entries.values()]) },
  lookup: {
    min: 2,
    max: 3,
    run: (args) => {
      const found = mapOf(args, 0).entries.get(textOf(args, 1)) ?? args[2];
      if (!found) throw new FunctionFailure(`the map has no "${textOf(args, 1)}"`, 1);
      return found;
    },
  },
  merge: {
    min: 1,
    max: many,
    run: (args) =>
      mapValue(args.flatMap((value, index) => (value.kind === "null" ? [] : [...mapOf(args, index).entries]))),
  },
  zipmap: {
    min: 2,
    max: 2,
    run: (args) => {
      const names = textsOf(args, 0);
      const values = listOf(args, 1).items;
      if (names.length !== values.length) throw new FunctionFailure("the lists differ in length", 1);
      return mapValue(names.flatMap((name, index) => (values[index] ? [[name, values[index]] as const] : [])));
    },
  },
  concat: { min: 1, max: many, run: (args) => listValue(lists(args).flat()) },
  flatten: { min: 1, max: 1, run: (args) => listValue(flat(listOf(args, 0).items)) },
  compact: {
    min: 1,
    max: 1,
    run: (args) => listValue(listOf(args, 0).items.filter((item) => !isEmpty(item))),
  },
  distinct: { min: 1, max: 1, run: (args) => listValue(unique(listOf(args, 0).items)) },
  contains: {
    min: 2,
    max: 2,
    run: (args) => boolValue(listOf(args, 0).items.some((item) => args[1] !== undefined && isEqual(item, args[1]))),
  },
  index: {
    min: 2,
    max: 2,
    run: (args) => {
      const at = listOf(args, 0).items.findIndex((item) => args[1] !== undefined && isEqual(item, args[1]));
      if (at < 0) throw new FunctionFailure("the list does not hold the value", 1);
      return numberValue(at);
    },
  },
  element: {
    min: 2,
    max: 2,
    run: (args) => {
      const { items } = listOf(args, 0);
      const index = integerOf(args, 1);
      const found = items[((index % items.length) + items.length) % items.length];
      if (!found) throw new FunctionFailure("the list is empty");
      return found;
    },
  },
  slice: {
    min: 3,
    max: 3,
    run: (args) => {
      const { items } = listOf(args, 0);
      const start = integerOf(args, 1);
      const end = integerOf(args, 2);
      if (start < 0 || end < start || end > items.length) throw new FunctionFailure("the range is outside the list", 1);
      return listValue(items.slice(start, end));
    },
  },
  sort: { min: 1, max: 1, run: (args) => listValue(textsOf(args, 0).sort().map(stringValue)) },
  coalesce: {
    min: 1,
    max: many,
    run: (args) => {
      const found = args.find((value) => value.kind !== "null");
      if (!found) throw new FunctionFailure("every argument is null");
      return found;
    },
  },
  coalescelist: {
    min: 1,
    max: many,
    run: (args) => {
      const found = args.find((value) => value.kind === "list" && value.items.length > 0);
      if (!found) throw new FunctionFailure("every list is empty");
      return found;
    },
  },
  chunklist: {
    min: 2,
    max: 2,
    run: (args) => {
      const { items } = listOf(args, 0);
      const size = integerOf(args, 1);
      if (size < 0) throw new FunctionFailure("the size is not negative", 1);
      if (size === 0) return listValue([listValue(items)]);
      return listValue(
        Array.from({ length: Math.ceil(items.length / size) }, (_, at) =>
          listValue(items.slice(at * size, at * size + size)),
        ),
      );
    },
  },
  range: {
    min: 1,
    max: 3,
    run: (args) => {
      const start = args.length > 1 ? numberOf(args, 0) : 0;
      const end = numberOf(args, args.length > 1 ? 1 : 0);
      const step = args.length > 2 ? numberOf(args, 2) : end < start ? -1 : 1;
      if (step === 0 || (end - start) * step < 0) throw new FunctionFailure("the step never reaches the end", 2);
      const length = Math.ceil((end - start) / step);
      if (length > 1024) throw new FunctionFailure("more than 1024 numbers");
      return listValue(Array.from({ length }, (_, at) => numberValue(start + at * step)));
    },
  },
  setunion: { min: 1, max: many, run: (args) => setValue(lists(args).flat()) },
  setintersection: {
    min: 1,
    max: many,
    run: (args) => {
      const [first = [], ...others] = lists(args);
      const known = others.map((list) => new Set(list.map(identity)));
      return setValue(first.filter((item) => known.every((names) => names.has(identity(item)))));
    },
  },
  setproduct: {
    min: 2,
    max: many,
    run: (args) => {
      let rows: Value[][] = [[]];
      for (const [index, list] of lists(args).entries()) {
        if (rows.length * list.length * (index + 1) > elementsMax)
          throw new FunctionFailure("the product is too large");
        rows = rows.flatMap((row) => list.map((item) => [...row, item]));
      }
      return listValue(rows.map(listValue));
    },
  },
};
