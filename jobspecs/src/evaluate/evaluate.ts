import { didYouMean } from "../diagnostics/suggest.ts";
import { Report } from "../syntax/source.ts";
import type {
  AttributeAccess,
  Conditional,
  Expression,
  ForExpression,
  IndexAccess,
  ObjectExpression,
  Splat,
  TemplatePart,
  Variable,
} from "../syntax/tree.ts";
import { type Evaluator, evaluateCall } from "./calls.ts";
import { limited, spend } from "./effort.ts";
import { binary, unary } from "./operators.ts";
import { fail, type Scope, withNames } from "./scope.ts";
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

/**
 * Value of an expression; errors go to the scope's report and give `unknown`. Throws nothing but `EffortSpent`, when the
 * whole compilation has done more than `stepsMax` steps.
 */
export function evaluate(expression: Expression, scope: Scope): Value {
  spend(scope, 1, expression);
  switch (expression.kind) {
    case "literal":
      return evaluateLiteral(expression, scope);
    case "parentheses":
      return evaluate(expression.inner, scope);
    case "template":
      return evaluateTemplate(expression.parts, expression.source ? { ...scope, source: expression.source } : scope);
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
      return evaluateCall(expression, scope, evaluator);
    case "unary":
      return unary(expression, evaluate(expression.operand, scope), scope);
    case "binary":
      return binary(expression, evaluate(expression.left, scope), evaluate(expression.right, scope), scope);
    case "conditional":
      return evaluateConditional(expression, scope);
    case "tuple":
      return limited(listValue(expression.items.map((item) => evaluate(item, scope))), expression, scope);
    case "object":
      return evaluateObject(expression, scope);
    case "for":
      return evaluateFor(expression, scope);
  }
}

/** What calls need of this file, given to them so that neither imports the other. */
const evaluator: Evaluator = { evaluate, template: evaluateTemplate };

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
  if (bound) {
    scope.surroundings.taint.read(bound);
    return bound;
  }
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

/** From the root outward, in one pass: chains may be as long as the file. */
function evaluateTraversal(expression: AttributeAccess | IndexAccess, scope: Scope, inTemplate: boolean): Value {
  const steps: (AttributeAccess | IndexAccess)[] = [];
  let root: Expression = expression;
  while (root.kind === "attribute-access" || root.kind === "index") {
    steps.push(root);
    root = root.object;
  }
  spend(scope, steps.length, expression);
  let value: Value | undefined;
  if (root.kind === "variable" && !scope.names.has(root.name)) {
    if (root.name !== "var" && root.name !== "local") return evaluateRoot(root, expression, scope, inTemplate);
    const first = steps.pop();
    value = first && evaluateDeclared(first, root, scope);
  }
  value ??= evaluate(root, scope);
  for (let step = steps.pop(); step; step = steps.pop()) {
    if (step.kind === "attribute-access") value = member(value, step.name, step.nameSpan, scope);
    else value = element(value, evaluate(step.key, scope), step.key, scope);
  }
  scope.surroundings.taint.read(value);
  return value;
}

/** `var.x` and `local.x`. */
function evaluateDeclared(expression: AttributeAccess | IndexAccess, root: Variable, scope: Scope): Value {
  let name: string | undefined;
  if (expression.kind === "attribute-access") name = expression.name;
  else {
    const key = evaluate(expression.key, scope);
    if (key.kind === "unknown") return key;
    name = toText(key);
  }
  const isVariable = root.name === "var";
  const value = name === undefined ? undefined : isVariable ? scope.variable(name) : scope.local(name, expression);
  if (value) {
    scope.surroundings.taint.read(value);
    return value;
  }
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
  const made = items.map((item) => evaluate(expression.each, withNames(scope, [[splatName, item]])));
  return limited(listValue(made), expression, scope);
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
  return limited(mapValue(entries), expression, scope);
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
  // Each makes names of its own, whatever it computes with them.
  if (rounds) spend(scope, rounds.length * 2, collection);
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
  const grouped = new Map<string, Value[]>();
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
    if (expression.groups) {
      const list = grouped.get(name);
      if (list) list.push(result);
      else grouped.set(name, [result]);
    } else if (entries.has(name)) {
      return fail(scope, expression.key, {
        code: "evaluate/key-repeated",
        summary: `two rounds give the key "${name}"`,
        hint: "put ... after the value to collect a list per key",
      });
    } else entries.set(name, result);
  }
  if (expression.groups) for (const [name, list] of grouped) entries.set(name, listValue(list));
  return limited(expression.key ? mapValue(entries) : listValue(items), expression, scope);
}
