import { convert, type Type, typeName } from "../types.ts";
import { kindName, nullValue } from "../value.ts";
import { FunctionFailure, type FunctionTable } from "./kit.ts";

const to = (type: Type): FunctionTable[string] => ({
  min: 1,
  max: 1,
  run: ([value = nullValue]) => {
    const made = convert(value, type);
    if (!made) throw new FunctionFailure(`a ${kindName(value)} is no ${typeName(type)}`);
    return made;
  },
});

export const conversionFunctions: FunctionTable = {
  tostring: to("string"),
  tonumber: to("number"),
  tobool: to("bool"),
  tolist: to({ kind: "list", element: "any" }),
  toset: to({ kind: "set", element: "any" }),
  tomap: to({ kind: "map", element: "any" }),
};
