import { didYouMean } from "../diagnostics/suggest.ts";
import { parseLoneTemplate } from "../syntax/parse.ts";
import { Report, Source } from "../syntax/source.ts";
import type { Call, Expression, TemplatePart } from "../syntax/tree.ts";
import { failureSteps, limited, spend } from "./effort.ts";
import { many } from "./functions/kit.ts";
import { FunctionFailure, functions } from "./functions.ts";
import { fail, type Scope } from "./scope.ts";
import { convert, parseType, typeName } from "./types.ts";
import { boolValue, kindName, sizeOf, unknownValue, type Value } from "./value.ts";

/** How calls evaluate what is inside of them. */
export interface Evaluator {
  readonly evaluate: (expression: Expression, scope: Scope) => Value;
  readonly template: (parts: readonly TemplatePart[], scope: Scope) => Value;
}

/** These see their arguments unevaluated, or need more than values. */
const specialNames = ["try", "can", "convert", "templatefile"];

export function evaluateCall(expression: Call, scope: Scope, evaluator: Evaluator): Value {
  const { evaluate } = evaluator;
  if (expression.name === "try" || expression.name === "can") return evaluateTry(expression, scope, evaluate);
  if (expression.name === "convert") return evaluateConvert(expression, scope, evaluate);
  if (expression.name === "templatefile") return evaluateTemplateFile(expression, scope, evaluator);
  const known = functions.get(expression.name);
  if (!known) {
    return fail(scope, expression.nameSpan, {
      code: "evaluate/unknown-function",
      summary: `no function "${expression.name}"`,
      hint: didYouMean(expression.name, [...functions.keys(), ...specialNames]),
    });
  }
  const args = evaluateArguments(expression, scope, evaluate);
  if (!args || args.some((value) => value.kind === "unknown")) return unknownValue;
  if (args.length < known.min || args.length > known.max) {
    const wanted =
      known.min === known.max
        ? `${known.min}`
        : known.max === many
          ? `${known.min} or more`
          : `${known.min} to ${known.max}`;
    return fail(scope, expression, {
      code: "evaluate/argument-count",
      summary: `${expression.name}() takes ${wanted} arguments, not ${args.length}`,
    });
  }
  try {
    const value = known.run(args, scope.surroundings);
    spend(scope, sizeOf(value), expression);
    return limited(value, expression, scope);
  } catch (error) {
    if (!(error instanceof FunctionFailure)) throw error;
    spend(scope, failureSteps, expression);
    return fail(scope, expression.args[error.argument] ?? expression, {
      code: "evaluate/function",
      summary: `${expression.name}(): ${error.message}`,
    });
  }
}

function evaluateArguments(expression: Call, scope: Scope, evaluate: Evaluator["evaluate"]): Value[] | undefined {
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

function evaluateConvert(expression: Call, scope: Scope, evaluate: Evaluator["evaluate"]): Value {
  const [first, second] = expression.args;
  const type = second && parseType(second, (inner) => evaluate(inner, scope));
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
function evaluateTry(expression: Call, scope: Scope, evaluate: Evaluator["evaluate"]): Value {
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

/** `templatefile(path, variables)`: a file of the job's folder as a template, in which only the given names are known. */
function evaluateTemplateFile(expression: Call, scope: Scope, { evaluate, template }: Evaluator): Value {
  const [pathExpression, variables] = expression.args;
  const refuse = (summary: string, span: Expression = expression): Value =>
    fail(scope, span, { code: "evaluate/function", summary: `templatefile(): ${summary}` });
  if (!pathExpression || !variables || expression.args.length !== 2)
    return refuse("takes a path and an object of names");
  if (scope.isTemplateFile) return refuse("a file that is a template can't use another");
  const path = evaluate(pathExpression, scope);
  const names = evaluate(variables, scope);
  if (path.kind === "unknown" || names.kind === "unknown") return unknownValue;
  if (path.kind !== "string") return refuse(`the path is text, not a ${kindName(path)}`, pathExpression);
  if (names.kind !== "map") return refuse(`the names are an object, not a ${kindName(names)}`, variables);
  const text = readTemplate(path, scope);
  if (text instanceof FunctionFailure) return refuse(text.message, pathExpression);
  const source = new Source(path.text, text);
  const parts = parseLoneTemplate(source, scope.report);
  if (!parts) return unknownValue;
  return template(parts, {
    ...scope,
    source,
    names: names.entries,
    variable: () => undefined,
    variableNames: () => [],
    local: () => undefined,
    localNames: () => [],
    isTemplateFile: true,
  });
}

function readTemplate(path: Value, scope: Scope): string | FunctionFailure {
  try {
    const read = functions.get("file")?.run([path], scope.surroundings);
    return read?.kind === "string" ? read.text : "";
  } catch (error) {
    if (error instanceof FunctionFailure) return error;
    throw error;
  }
}
