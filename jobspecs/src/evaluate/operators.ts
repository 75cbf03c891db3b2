import type { Binary, Unary } from "../syntax/tree.ts";
import { fail, type Scope } from "./scope.ts";
import {
  boolValue,
  isEqual,
  kindName,
  numberText,
  numberValue,
  toBool,
  toNumber,
  unknownValue,
  type Value,
} from "./value.ts";

export function unary(expression: Unary, operand: Value, scope: Scope): Value {
  if (operand.kind === "unknown") return operand;
  if (expression.operator === "!") {
    const bool = toBool(operand);
    return bool === undefined ? wrongOperand(expression.operand, operand, "bool", scope) : boolValue(!bool);
  }
  const number = toNumber(operand);
  return number === undefined ? wrongOperand(expression.operand, operand, "number", scope) : numberValue(-number);
}

export function binary(expression: Binary, left: Value, right: Value, scope: Scope): Value {
  if (left.kind === "unknown" || right.kind === "unknown") return unknownValue;
  const { operator } = expression;
  if (operator === "==" || operator === "!=") {
    if (left.kind === "runtime" || right.kind === "runtime") {
      return wrongOperand(left.kind === "runtime" ? expression.left : expression.right, runtime, "value", scope);
    }
    return boolValue(isEqual(left, right) === (operator === "=="));
  }
  if (operator === "&&" || operator === "||") {
    const a = toBool(left);
    const b = toBool(right);
    if (a === undefined) return wrongOperand(expression.left, left, "bool", scope);
    if (b === undefined) return wrongOperand(expression.right, right, "bool", scope);
    return boolValue(operator === "&&" ? a && b : a || b);
  }
  const a = toNumber(left);
  const b = toNumber(right);
  if (a === undefined) return wrongOperand(expression.left, left, "number", scope);
  if (b === undefined) return wrongOperand(expression.right, right, "number", scope);
  return arithmetic(expression, a, b, scope);
}

const runtime: Value = { kind: "runtime", parts: [] };

function arithmetic(expression: Binary, a: number, b: number, scope: Scope): Value {
  switch (expression.operator) {
    case "<":
      return boolValue(a < b);
    case "<=":
      return boolValue(a <= b);
    case ">":
      return boolValue(a > b);
    case ">=":
      return boolValue(a >= b);
    case "+":
      return exact(expression, a + b, scope);
    case "-":
      return exact(expression, a - b, scope);
    case "*":
      return exact(expression, a * b, scope);
    default:
      if (b === 0) {
        return fail(scope, expression.right, { code: "evaluate/division-by-zero", summary: "division by zero" });
      }
      return exact(expression, expression.operator === "/" ? a / b : remainder(a, b), scope);
  }
}

/** Of decimals that of their digits as whole numbers: 11 % 5.1 is 0.8. */
function remainder(a: number, b: number): number {
  const digits = Math.max(decimals(a), decimals(b));
  const [left, right] = [Math.round(a * 10 ** digits), Math.round(b * 10 ** digits)];
  return Number.isSafeInteger(left) && Number.isSafeInteger(right) ? (left % right) / 10 ** digits : a % b;
}

function decimals(number: number): number {
  const text = numberText(number);
  const point = text.indexOf(".");
  return point < 0 ? 0 : text.length - point - 1;
}

/** Decimals keep 15 digits, so that 0.1 + 0.2 is 0.3; whole numbers that can't be exact are refused. */
function exact(expression: Binary, result: number, scope: Scope): Value {
  if (Number.isSafeInteger(result)) return numberValue(result);
  if (!Number.isFinite(result) || Number.isInteger(result)) {
    return fail(scope, expression, {
      code: "evaluate/number-too-large",
      summary: "the result is too large to be exact",
    });
  }
  return numberValue(Number(result.toPrecision(15)));
}

function wrongOperand(
  span: { readonly start: number; readonly end: number },
  value: Value,
  wanted: string,
  scope: Scope,
): Value {
  if (value.kind === "runtime") {
    return fail(scope, span, {
      code: "evaluate/runtime",
      summary: "the value is known only on the agent, so nothing can be computed from it here",
    });
  }
  return fail(scope, span, {
    code: "evaluate/wrong-operand",
    summary: `the operator needs a ${wanted}, not a ${kindName(value)}`,
  });
}
