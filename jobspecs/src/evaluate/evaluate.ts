import type { Span } from "../diagnostics/diagnostic.ts";
import { didYouMean } from "../diagnostics/suggest.ts";
import { Report } from "../syntax/source.ts";
import type {
  AttributeAccess,
  Call,
  Conditional,
  Expression,
  ForExpression,
  IndexAccess,
  ObjectExpression,
  Splat,
  TemplatePart,
  Variable,
} from "../syntax/tree.ts";
import { elementsMax, textLengthMax } from "./functions/kit.ts";
import { FunctionFailure, functions } from "./functions.ts";
import { binary, unary } from "./operators.ts";
import { fail, type Scope, withNames } from "./scope.ts";
import { convert, parseType, typeName } from "./types.ts";
import {
  boolValue,
  isRuntimeRoot,
  kindName,
  listValue,
  mapValue,
  nullValue,
  numberValue,
  type RuntimePart,
  stringValue,
  toBool,
  toNumber,
  toText,
  unknownValue,
  type Value,
} from "./value.ts";

/** Rounds of loops of one expression. Beyond: `evaluate/too-long`. */
export const roundsMax = 10_000;

/** Value of an expression; errors go to the scope's report and give `unknown`. Never throws. */
export function evaluate(expression: Expression, scope: Scope): Value {
  switch (expression.kind) {
    case "literal":
      return evaluateLiteral(expression, scope);
    case "parentheses":
      return evaluate(expression.inner, scope);
    case "template":
      return evaluateTemplate(expression.parts, scope);
    case "variable":
      return evaluateRoot(expression, expression, scope, false);
    case "attribute-access":
    case "index":
      return evaluateTraversal(expression, scope, false);
    case "splat":
      return evaluateSplat(expression, scope);
    case "splat-item":
      return scope.names.get(splatName) ?? unknownValue;
    case "call":
      return evaluateCall(expression, scope);
    case "unary":
      return unary(expression, evaluate(expression.operand, scope), scope);
    case "binary":
      return binary(expression, evaluate(expression.left, scope), evaluate(expression.right, scope), scope);
    case "conditional":
      return evaluateConditional(expression, scope);
    case "tuple":
      return listValue(expression.items.map((item) => evaluate(item, scope)));
    case "object":
      return evaluateObject(expression, scope);
    case "for":
      return evaluateFor(expression, scope);
  }
}

/** No identifier of the language has a space. */
const splatName = " item";

function evaluateLiteral(expression: Expression & { kind: "literal" }, scope: Scope): Value {
  const { value } = expression;
  if (value === null) return nullValue;
  if (typeof value === "boolean") return boolValue(value);
  if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) {
    return fail(scope, expression, {
      code: "evaluate/number-too-large",
      summary: "the number is too large to be exact",
      detail: `Whole numbers go up to ${Number.MAX_SAFE_INTEGER}.`,
      hint: "write it as text in quotes",
    });
  }
  return numberValue(value);
}

function evaluateTemplate(parts: readonly TemplatePart[], scope: Scope): Value {
  const only = parts[0];
  if (parts.length === 1 && only?.kind === "interpolation") return evaluateInterpolation(only.expression, scope);
  const output: RuntimePart[] = [];
  if (!appendParts(parts, scope, output)) return unknownValue;
  if (output.some((part) => "reference" in part)) return { kind: "runtime", parts: output };
  const text = output.map((part) => ("text" in part ? part.text : "")).join("");
  return limited(stringValue(text), parts[0] ?? { start: 0, end: 0 }, scope);
}

/** Texts and lists that double from local to local must end somewhere. */
function limited(value: Value, span: Span, scope: Scope): Value {
  const length = value.kind === "string" ? value.text.length : value.kind === "list" ? value.items.length : 0;
  if (length <= (value.kind === "string" ? textLengthMax : elementsMax)) return value;
  return fail(scope, span, { code: "evaluate/too-long", summary: `the ${kindName(value)} becomes too long` });
}

/** Inside `${ }`, a name that nobody declared is left to the agent. */
function evaluateInterpolation(expression: Expression, scope: Scope): Value {
  if (expression.kind === "variable") return evaluateRoot(expression, expression, scope, true);
  if (expression.kind === "attribute-access" || expression.kind === "index") {
    return evaluateTraversal(expression, scope, true);
  }
  return evaluate(expression, scope);
}

function appendParts(parts: readonly TemplatePart[], scope: Scope, output: RuntimePart[]): boolean {
  return parts.every((part) => {
    switch (part.kind) {
      case "text":
        output.push({ text: part.text });
        return true;
      case "interpolation":
        return appendValue(evaluateInterpolation(part.expression, scope), part.expression, scope, output);
      case "if": {
        const condition = evaluateCondition(part.condition, scope);
        return condition !== undefined && appendParts(condition ? part.then : part.otherwise, scope, output);
      }
      case "for": {
        const rounds = roundsOf(part.collection, scope);
        return (
          rounds?.every(([key, value]) =>
            appendParts(part.body, withNames(scope, loopNames(part, key, value)), output),
          ) ?? false
        );
      }
    }
    return false;
  });
}

function appendValue(value: Value, expression: Expression, scope: Scope, output: RuntimePart[]): boolean {
  if (value.kind === "unknown") return false;
  if (value.kind === "runtime") {
    output.push(...value.parts);
    return true;
  }
  const text = toText(value);
  if (text === undefined) {
    fail(scope, expression, {
      code: "evaluate/no-text",
      summary: `a ${kindName(value)} can't be put into text`,
      ...(value.kind === "null" ? {} : { hint: "use join() or jsonencode()" }),
    });
    return false;
  }
  output.push({ text });
  return true;
}

function evaluateCondition(expression: Expression, scope: Scope): boolean | undefined {
  const value = evaluate(expression, scope);
  if (value.kind === "unknown") return undefined;
  const bool = toBool(value);
  if (bool === undefined) {
    fail(scope, expression, { code: "evaluate/no-bool", summary: `the condition is a ${kindName(value)}, not a bool` });
  }
  return bool;
}

/** `whole` is the traversal around the name: what is left to the agent. */
function evaluateRoot(root: Variable, whole: Expression, scope: Scope, inTemplate: boolean): Value {
  const bound = scope.names.get(root.name);
  if (bound) return bound;
  const text = scope.source.text.slice(whole.start, whole.end);
  if (root.name === "var" || root.name === "local") {
    return fail(scope, root, {
      code: "evaluate/incomplete",
      summary: `"${root.name}" needs a name after it`,
      hint: `write ${root.name}.name`,
    });
  }
  if (isRuntimeRoot(root.name)) return { kind: "runtime", parts: [{ reference: text }] };
  const hint = didYouMean(root.name, [...scope.names.keys(), "var", "local", "node", "attr", "meta", "env"]);
  if (inTemplate) {
    scope.report.warning(scope.source, whole, {
      code: "evaluate/left-to-agent",
      summary: `"${text}" is not declared here and stays as text`,
      detail: "If it is meant for the shell or another language, double the dollar sign: $${...}.",
      hint,
    });
    return { kind: "runtime", parts: [{ reference: text }] };
  }
  return fail(scope, root, {
    code: "evaluate/unknown-name",
    summary: `no name "${root.name}" is known here`,
    detail: "Variables are read as var.name, locals as local.name; text stands in quotes.",
    hint: hint ?? (whole === root ? `did you mean "${root.name}" in quotes?` : undefined),
  });
}

function evaluateTraversal(expression: AttributeAccess | IndexAccess, scope: Scope, inTemplate: boolean): Value {
  const root = rootOf(expression);
  if (root && !scope.names.has(root.name)) {
    if (root.name === "var" || root.name === "local") {
      const declared = evaluateDeclared(expression, root, scope);
      if (declared) return declared;
    } else return evaluateRoot(root, expression, scope, inTemplate);
  }
  const object = evaluate(expression.object, scope);
  if (expression.kind === "attribute-access") return member(object, expression.name, expression.nameSpan, scope);
  const key = evaluate(expression.key, scope);
  return element(object, key, expression.key, scope);
}

function rootOf(expression: Expression): Variable | undefined {
  let at = expression;
  while (at.kind === "attribute-access" || at.kind === "index") at = at.object;
  return at.kind === "variable" ? at : undefined;
}

/** `var.x` and `local.x` themselves; undefined: a part further inside is meant. */
function evaluateDeclared(expression: AttributeAccess | IndexAccess, root: Variable, scope: Scope): Value | undefined {
  if (expression.object !== root) return undefined;
  let name: string | undefined;
  if (expression.kind === "attribute-access") name = expression.name;
  else {
    const key = evaluate(expression.key, scope);
    if (key.kind === "unknown") return key;
    name = toText(key);
  }
  const isVariable = root.name === "var";
  const value = name === undefined ? undefined : isVariable ? scope.variable(name) : scope.local(name, expression);
  if (value) return value;
  const names = isVariable ? scope.variableNames() : scope.localNames();
  return fail(scope, expression.kind === "attribute-access" ? expression.nameSpan : expression.key, {
    code: isVariable ? "evaluate/unknown-variable" : "evaluate/unknown-local",
    summary: `no ${isVariable ? "variable" : "local"} "${name ?? "?"}" is declared`,
    hint:
      didYouMean(name ?? "", names) ??
      (isVariable ? `declare it: variable "${name ?? "name"}" { }` : `declare it in a locals block`),
  });
}

function member(object: Value, name: string, span: { start: number; end: number }, scope: Scope): Value {
  if (object.kind === "unknown") return object;
  if (object.kind === "map") {
    const found = object.entries.get(name);
    if (found) return found;
    return fail(scope, span, {
      code: "evaluate/no-member",
      summary: `the object has no "${name}"`,
      hint: didYouMean(name, object.entries.keys()),
    });
  }
  return fail(scope, span, { code: "evaluate/no-member", summary: `a ${kindName(object)} has no "${name}"` });
}

function element(object: Value, key: Value, span: Expression, scope: Scope): Value {
  if (object.kind === "unknown" || key.kind === "unknown") return unknownValue;
  if (object.kind === "list" && object.form === "list") {
    const index = toNumber(key);
    const found = index === undefined ? undefined : object.items[index];
    if (found) return found;
    return fail(scope, span, {
      code: "evaluate/no-element",
      summary: index === undefined ? "the index of a list is a number" : "the index is outside the list",
      detail: `The list has ${object.items.length} elements, counted from 0.`,
    });
  }
  const name = toText(key);
  if (object.kind === "map" && name !== undefined) return member(object, name, span, scope);
  return fail(scope, span, { code: "evaluate/no-element", summary: `a ${kindName(object)} has no elements by index` });
}

function evaluateSplat(expression: Splat, scope: Scope): Value {
  const object = evaluate(expression.object, scope);
  if (object.kind === "unknown") return object;
  if (object.kind === "runtime") {
    return fail(scope, expression, { code: "evaluate/runtime", summary: "the value is known only on the agent" });
  }
  const items = object.kind === "list" ? object.items : object.kind === "null" ? [] : [object];
  return listValue(items.map((item) => evaluate(expression.each, withNames(scope, [[splatName, item]]))));
}

function evaluateConditional(expression: Conditional, scope: Scope): Value {
  const condition = evaluateCondition(expression.condition, scope);
  if (condition === undefined) return unknownValue;
  const chosen = evaluate(condition ? expression.then : expression.otherwise, scope);
  if (chosen.kind !== "number" && chosen.kind !== "bool") return chosen;
  // Both branches have one type: beside a text, a number is text.
  const quiet = { ...scope, report: new Report() };
  const other = evaluate(condition ? expression.otherwise : expression.then, quiet);
  return other.kind === "string" ? stringValue(toText(chosen) ?? "") : chosen;
}

function evaluateObject(expression: ObjectExpression, scope: Scope): Value {
  const entries = new Map<string, Value>();
  for (const item of expression.items) {
    const key = item.key.kind === "variable" ? item.key.name : keyText(evaluate(item.key, scope), item.key, scope);
    const value = evaluate(item.value, scope);
    if (key === undefined) return unknownValue;
    entries.set(key, value);
  }
  return mapValue(entries);
}

function keyText(key: Value, span: Expression, scope: Scope): string | undefined {
  if (key.kind === "unknown") return undefined;
  const text = toText(key);
  if (text === undefined) {
    fail(scope, span, { code: "evaluate/bad-key", summary: `a key is text, not a ${kindName(key)}` });
  }
  return text;
}

/** Pairs of key and value; undefined after an error. */
function roundsOf(collection: Expression, scope: Scope): (readonly [Value, Value])[] | undefined {
  const value = evaluate(collection, scope);
  const rounds = pairsOf(value);
  if (value.kind === "unknown") return undefined;
  if (!rounds) {
    fail(scope, collection, {
      code: value.kind === "runtime" ? "evaluate/runtime" : "evaluate/no-collection",
      summary:
        value.kind === "runtime"
          ? "the collection is known only on the agent"
          : `a loop goes over a list, set, map or object, not over a ${kindName(value)}`,
    });
  } else if (rounds.length > roundsMax) {
    fail(scope, collection, { code: "evaluate/too-long", summary: `a loop of more than ${roundsMax} rounds` });
    return undefined;
  }
  return rounds;
}

/** Keys and values of a collection, as loops and dynamic blocks see them. */
export function pairsOf(value: Value): (readonly [Value, Value])[] | undefined {
  if (value.kind === "map") return [...value.entries].map(([key, item]) => [stringValue(key), item] as const);
  if (value.kind !== "list") return undefined;
  const isSet = value.form === "set";
  return value.items.map((item, index) => [isSet ? item : numberValue(index), item] as const);
}

function loopNames(
  loop: { readonly keyName?: string; readonly valueName: string },
  key: Value,
  value: Value,
): (readonly [string, Value])[] {
  return loop.keyName === undefined
    ? [[loop.valueName, value]]
    : [
        [loop.keyName, key],
        [loop.valueName, value],
      ];
}

function evaluateFor(expression: ForExpression, scope: Scope): Value {
  const rounds = roundsOf(expression.collection, scope);
  if (!rounds) return unknownValue;
  const items: Value[] = [];
  const entries = new Map<string, Value>();
  for (const [key, value] of rounds) {
    const inner = withNames(scope, loopNames(expression, key, value));
    const keep = expression.condition ? evaluateCondition(expression.condition, inner) : true;
    if (keep === undefined) return unknownValue;
    if (!keep) continue;
    const result = evaluate(expression.value, inner);
    if (!expression.key) {
      items.push(result);
      continue;
    }
    const name = keyText(evaluate(expression.key, inner), expression.key, inner);
    if (name === undefined) return unknownValue;
    const before = entries.get(name);
    if (expression.groups) {
      entries.set(name, listValue([...(before?.kind === "list" ? before.items : []), result]));
    } else if (before) {
      return fail(scope, expression.key, {
        code: "evaluate/key-repeated",
        summary: `two rounds give the key "${name}"`,
        hint: "put ... after the value to collect a list per key",
      });
    } else entries.set(name, result);
  }
  return expression.key ? mapValue(entries) : listValue(items);
}

function evaluateCall(expression: Call, scope: Scope): Value {
  if (expression.name === "try" || expression.name === "can") return evaluateTry(expression, scope);
  if (expression.name === "convert") return evaluateConvert(expression, scope);
  const known = functions.get(expression.name);
  if (!known) {
    return fail(scope, expression.nameSpan, {
      code: "evaluate/unknown-function",
      summary: `no function "${expression.name}"`,
      hint: didYouMean(expression.name, [...functions.keys(), "try", "can", "convert"]),
    });
  }
  const args = evaluateArguments(expression, scope);
  if (!args || args.some((value) => value.kind === "unknown")) return unknownValue;
  if (args.length < known.min || args.length > known.max) {
    const wanted = known.min === known.max ? `${known.min}` : `${known.min} or more`;
    return fail(scope, expression, {
      code: "evaluate/argument-count",
      summary: `${expression.name}() takes ${wanted} arguments, not ${args.length}`,
    });
  }
  try {
    return limited(known.run(args, scope.surroundings), expression, scope);
  } catch (error) {
    if (!(error instanceof FunctionFailure)) throw error;
    return fail(scope, expression.args[error.argument] ?? expression, {
      code: "evaluate/function",
      summary: `${expression.name}(): ${error.message}`,
    });
  }
}

function evaluateArguments(expression: Call, scope: Scope): Value[] | undefined {
  const args = expression.args.map((argument) => evaluate(argument, scope));
  if (!expression.expandsLast) return args;
  const last = args.pop();
  if (last?.kind === "list") return [...args, ...last.items];
  const span = expression.args.at(-1) ?? expression;
  if (last && last.kind !== "unknown") {
    fail(scope, span, {
      code: "evaluate/no-collection",
      summary: `only a list can be spread, not a ${kindName(last)}`,
    });
  }
  return undefined;
}

function evaluateConvert(expression: Call, scope: Scope): Value {
  const [first, second] = expression.args;
  const type = second && parseType(second);
  if (!first || !type) {
    return fail(scope, second ?? expression, {
      code: "evaluate/function",
      summary: "convert() takes a value and a type, e.g. list(string)",
    });
  }
  const value = evaluate(first, scope);
  return (
    convert(value, type) ??
    fail(scope, first, {
      code: "evaluate/function",
      summary: `convert(): a ${kindName(value)} is no ${typeName(type)}`,
    })
  );
}

/** `try` gives the first argument without an error; `can` says whether its one has none. */
function evaluateTry(expression: Call, scope: Scope): Value {
  for (const argument of expression.args) {
    const quiet = { ...scope, report: new Report() };
    const value = evaluate(argument, quiet);
    if (quiet.report.errorCount === 0 && value.kind !== "unknown") {
      return expression.name === "can" ? boolValue(true) : value;
    }
  }
  if (expression.name === "can" && expression.args.length === 1) return boolValue(false);
  return fail(scope, expression, {
    code: "evaluate/function",
    summary: expression.name === "can" ? "can() takes one argument" : "try(): every argument has an error",
  });
}
