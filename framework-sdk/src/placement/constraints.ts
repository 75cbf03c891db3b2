import { compilePattern, type Pattern, PatternFault } from "@muster/foundation";
import { type AgentTraits, resolveText } from "./references.ts";
import { satisfies } from "./versions.ts";

/** How the two sides of a constraint are compared; several words mean the same. */
export type ConstraintOperator =
  | "="
  | "=="
  | "is"
  | "!="
  | "not"
  | "<"
  | "<="
  | ">"
  | ">="
  | "regexp"
  | "like"
  | "unlike"
  | "version"
  | "semver"
  | "set_contains"
  | "set_contains_all"
  | "set_contains_any"
  | "is_set"
  | "is_not_set"
  | "distinct_hosts"
  | "distinct_property"
  | "cluster"
  | "group_by"
  | "equal";

/** What must hold on an agent. */
export interface PlacementConstraint {
  /** The left side, for instance "${attr.kernel.name}". */
  readonly attribute: string;
  readonly operator: ConstraintOperator;
  /**
   * The right side; for `distinct_property` how many instances may share a value (empty: 1), for `cluster` the value
   * that all must have (empty: that of the first), for `group_by` over how many values instances are balanced (empty:
   * all that could be had), and "strict" behind it if an instance rather waits than make the balance worse.
   */
  readonly value: string;
}

/** Instances that are there already, as far as `distinct_hosts`, `distinct_property` and `cluster` care. */
export interface Neighbours {
  /** How many are on that agent. */
  countOn(agentId: string): number;
  /** How many are on agents for which that text comes to that value; without a value: to any. */
  countWith(text: string, value?: string): number;
  /** How many are there by what that text comes to; values that instances could have, but none has, with 0. */
  countsBy(text: string): ReadonlyMap<string, number>;
}

/** Nobody is there yet. */
export const noNeighbours: Neighbours = { countOn: () => 0, countWith: () => 0, countsBy: () => new Map() };

/** Whether a constraint is about how instances are distributed over values: it holds for all agents of one value. */
export function isOfValues({ operator }: PlacementConstraint): boolean {
  return operator === "distinct_property" || operator === "cluster" || operator === "group_by";
}

/** The reason why a constraint does not hold, or undefined. */
export function constraintFault(
  constraint: PlacementConstraint,
  agent: AgentTraits,
  neighbours: Neighbours,
): string | undefined {
  const { attribute, operator, value } = constraint;
  if (operator === "distinct_hosts")
    return value !== "false" && neighbours.countOn(agent.agentId) > 0
      ? `distinct_hosts: has ${neighbours.countOn(agent.agentId)} already`
      : undefined;
  const left = resolveText(attribute, agent);
  if (operator === "distinct_property") return distinctFault(constraint, left, neighbours);
  if (operator === "cluster") return clusterFault(constraint, left, neighbours);
  if (operator === "group_by") return balanceFault(constraint, left, neighbours);
  if (operator === "is_set") return left === undefined ? `${attribute} is not set` : undefined;
  if (operator === "is_not_set") return left === undefined ? undefined : `${attribute} is set (to ${quote(left)})`;
  const right = resolveText(value, agent);
  if (compare(operator, left, right)) return undefined;
  const has = left === undefined ? "it is not set" : `it is ${quote(left)}`;
  return `${attribute} ${operator} ${value} does not hold: ${has}`;
}

function distinctFault(
  { attribute, value }: PlacementConstraint,
  left: string | undefined,
  neighbours: Neighbours,
): string | undefined {
  if (left === undefined) return `${attribute} is not set`;
  const most = value === "" ? 1 : Number(value);
  if (!Number.isInteger(most) || most < 1) return `distinct_property: ${quote(value)} is no count`;
  const present = neighbours.countWith(attribute, left);
  return present >= most
    ? `distinct_property: ${quote(left)} of ${attribute} has ${present} already, at most ${most}`
    : undefined;
}

function clusterFault(
  { attribute, value }: PlacementConstraint,
  left: string | undefined,
  neighbours: Neighbours,
): string | undefined {
  if (left === undefined) return `${attribute} is not set`;
  if (value !== "") return left === value ? undefined : `cluster: ${attribute} is ${quote(left)}, not ${quote(value)}`;
  if (neighbours.countWith(attribute, left) > 0 || neighbours.countWith(attribute) === 0) return undefined;
  return `cluster: ${attribute} is ${quote(left)}, the others have another value`;
}

/** "3", "strict", "3 strict", or nothing: over how many values, and whether instances wait for the balance. */
const balanceForm = /^(?:([1-9]\d{0,5})\b)?\s*(strict)?$/;

function balanceFault(
  { attribute, value }: PlacementConstraint,
  left: string | undefined,
  neighbours: Neighbours,
): string | undefined {
  if (left === undefined) return `${attribute} is not set`;
  const form = balanceForm.exec(value.trim());
  if (!form) return `group_by: ${quote(value)} is no count`;
  const counts = neighbours.countsBy(attribute);
  const present = counts.get(left) ?? 0;
  const most = form[1] === undefined ? Number.POSITIVE_INFINITY : Number(form[1]);
  const used = [...counts.values()].filter((count) => count > 0);
  if (present === 0 && used.length >= most) return `group_by: ${used.length} values of ${attribute} are in use already`;
  if (form[2] === undefined) return undefined;
  // As long as a value is missing that may be used none may get ahead; then those in use are balanced among themselves.
  const least = used.length >= most ? Math.min(...used) : Math.min(...counts.values(), present);
  return present > least
    ? `group_by: ${quote(left)} of ${attribute} has ${present} already, another value ${least}`
    : undefined;
}

/** What is wrong with the value of a `group_by` constraint, or undefined. */
export function balanceProblem(value: string): string | undefined {
  return balanceForm.test(value.trim()) ? undefined : 'must be a count, "strict", or both';
}

/** Whether the two sides of a constraint that is about one agent alone compare as its operator says. */
export function compareSides({ attribute, operator, value }: PlacementConstraint, agent: AgentTraits): boolean {
  const left = resolveText(attribute, agent);
  if (operator === "is_set") return left !== undefined;
  if (operator === "is_not_set") return left === undefined;
  return compare(operator, left, resolveText(value, agent));
}

function compare(operator: ConstraintOperator, left: string | undefined, right: string | undefined): boolean {
  if (operator === "!=" || operator === "not") return left !== right;
  if (operator === "unlike") return right !== undefined && (left === undefined || isLike(left, right) === false);
  if (left === undefined || right === undefined) return false;
  switch (operator) {
    case "=":
    case "==":
    case "is":
      return left === right;
    case "equal":
      return left === right || sameScalar(left, right);
    case "<":
      return order(left, right) < 0;
    case "<=":
      return order(left, right) <= 0;
    case ">":
      return order(left, right) > 0;
    case ">=":
      return order(left, right) >= 0;
    case "regexp":
      return contains(left, right);
    case "like":
      return isLike(left, right) === true;
    case "version":
      return satisfies(left, right, false) === true;
    case "semver":
      return satisfies(left, right, true) === true;
    case "set_contains":
    case "set_contains_all":
      return setOf(right).every((item) => setOf(left).includes(item));
    case "set_contains_any":
      return setOf(right).some((item) => setOf(left).includes(item));
    default:
      return false;
  }
}

/** Numbers are the same if they are to three decimals. */
function sameScalar(left: string, right: string): boolean {
  if (!numberForm.test(left) || !numberForm.test(right)) return false;
  return Math.round(Number(left) * 1_000) === Math.round(Number(right) * 1_000);
}

const numberForm = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** As whole numbers if both are, else as numbers, else as text. */
function order(left: string, right: string): number {
  if (/^[+-]?\d+$/.test(left) && /^[+-]?\d+$/.test(right)) {
    const difference = BigInt(left) - BigInt(right);
    return difference < 0n ? -1 : difference > 0n ? 1 : 0;
  }
  if (numberForm.test(left) && numberForm.test(right)) return Number(left) - Number(right);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Patterns of job files, made ready once; undefined: it is none. */
const patterns = new Map<string, Pattern | undefined>();
const patternsMax = 1_000;

/** What is wrong with a regular expression, or undefined. */
export function patternFault(pattern: string): string | undefined {
  const compiled = compilePattern(pattern);
  return compiled instanceof PatternFault ? compiled.message : undefined;
}

/** Whether the whole text is what the pattern says; undefined: it is no pattern. O(text x steps of the pattern). */
function isLike(text: string, pattern: string): boolean | undefined {
  if (!patterns.has(pattern)) {
    if (patterns.size >= patternsMax) patterns.clear();
    const compiled = compilePattern(pattern);
    patterns.set(pattern, compiled instanceof PatternFault ? undefined : compiled);
  }
  return patterns.get(pattern)?.matches(text);
}

/** Whether some part of the text is what the pattern says. */
function contains(text: string, pattern: string): boolean {
  return isLike(text, `[^]*(?:${pattern})[^]*`) === true;
}

function setOf(text: string): readonly string[] {
  return text.split(",").map((item) => item.trim());
}

function quote(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}...` : text);
}
