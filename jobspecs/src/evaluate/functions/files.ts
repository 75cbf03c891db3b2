import type { FileReader, Surroundings } from "../scope.ts";
import { boolValue, setValue, stringValue, type Value } from "../value.ts";
import { FunctionFailure, type FunctionTable, textOf } from "./kit.ts";

function files(surroundings: Surroundings): FileReader {
  if (!surroundings.files) throw new FunctionFailure("files can be read only where the command runs, not on a server");
  return surroundings.files;
}

function attempt<T>(read: () => T, toValue: (read: T) => Value): Value {
  try {
    return toValue(read());
  } catch (error) {
    if (error instanceof FunctionFailure) throw error;
    throw new FunctionFailure(error instanceof Error ? error.message : "the file can't be read");
  }
}

const cleaned = (path: string): string => path.replace(/\/+$/, "");

export const fileFunctions: FunctionTable = {
  file: { min: 1, max: 1, run: (args, around) => attempt(() => files(around).read(textOf(args, 0)), stringValue) },
  filebase64: {
    min: 1,
    max: 1,
    run: (args, around) => attempt(() => files(around).readBase64(textOf(args, 0)), stringValue),
  },
  fileexists: {
    min: 1,
    max: 1,
    run: (args, around) => attempt(() => files(around).exists(textOf(args, 0)), boolValue),
  },
  fileset: {
    min: 2,
    max: 2,
    run: (args, around) =>
      attempt(
        () => files(around).list(textOf(args, 0), textOf(args, 1)),
        (paths) => setValue(paths.map(stringValue)),
      ),
  },
  abspath: {
    min: 1,
    max: 1,
    run: (args, around) => attempt(() => files(around).absolute(textOf(args, 0)), stringValue),
  },
  pathexpand: {
    min: 1,
    max: 1,
    run: (args, around) =>
      attempt(() => {
        const path = textOf(args, 0);
        return path === "~" || path.startsWith("~/") ? files(around).home() + path.slice(1) : path;
      }, stringValue),
  },
  basename: {
    min: 1,
    max: 1,
    run: (args) => stringValue(cleaned(textOf(args, 0)).split("/").at(-1) || (textOf(args, 0) === "" ? "." : "/")),
  },
  dirname: {
    min: 1,
    max: 1,
    run: (args) => {
      const path = textOf(args, 0);
      const at = path.lastIndexOf("/");
      return stringValue(at < 0 ? "." : cleaned(path.slice(0, at)) || "/");
    },
  },
};
