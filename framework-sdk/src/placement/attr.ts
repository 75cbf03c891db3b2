import type { PlacementConstraint } from "./constraints.ts";

/** Conditions on one property of an agent. */
export interface AttributeConditions {
  is(value: string): PlacementConstraint;
  isNot(value: string): PlacementConstraint;
  lessThan(value: string | number): PlacementConstraint;
  atMost(value: string | number): PlacementConstraint;
  moreThan(value: string | number): PlacementConstraint;
  atLeast(value: string | number): PlacementConstraint;
  matches(pattern: string): PlacementConstraint;
  /** The whole value is what the pattern says. */
  like(pattern: string): PlacementConstraint;
  /** It is not; or the agent has no such property. */
  unlike(pattern: string): PlacementConstraint;
  /** For instance ">= 5.10, < 7". */
  version(requirement: string): PlacementConstraint;
  semver(requirement: string): PlacementConstraint;
  /** Of a list with commas: all of these. */
  containsAll(...items: readonly string[]): PlacementConstraint;
  containsAny(...items: readonly string[]): PlacementConstraint;
  isSet(): PlacementConstraint;
  isNotSet(): PlacementConstraint;
  /** At most so many instances where the property has the same value. */
  distinct(countMax?: number): PlacementConstraint;
  /** All instances where the property has this value; without one: the value where the first of them is. */
  cluster(value?: string): PlacementConstraint;
  /** Instances are balanced over its values; with `strict` an instance rather waits than make the balance worse. */
  groupBy(options?: { readonly countMax?: number; readonly strict?: boolean }): PlacementConstraint;
  /** Equal, also as numbers to three decimals. */
  equal(value: string | number): PlacementConstraint;
}

/**
 * Conditions on an agent's property, for instance `attr("kernel.name").is("linux")`. Names that begin with "node." or
 * "meta." are those of jobspecs, such as "node.unique.name".
 */
export function attr(name: string): AttributeConditions {
  const reference = /^(node|meta|attr)\./.test(name) ? name : `attr.${name}`;
  const attribute = `\${${reference}}`;
  const make = (operator: PlacementConstraint["operator"], value: string | number = ""): PlacementConstraint => ({
    attribute,
    operator,
    value: String(value),
  });
  return {
    is: (value) => make("=", value),
    isNot: (value) => make("!=", value),
    lessThan: (value) => make("<", value),
    atMost: (value) => make("<=", value),
    moreThan: (value) => make(">", value),
    atLeast: (value) => make(">=", value),
    matches: (pattern) => make("regexp", pattern),
    like: (pattern) => make("like", pattern),
    unlike: (pattern) => make("unlike", pattern),
    version: (requirement) => make("version", requirement),
    semver: (requirement) => make("semver", requirement),
    containsAll: (...items) => make("set_contains", items.join(",")),
    containsAny: (...items) => make("set_contains_any", items.join(",")),
    isSet: () => make("is_set"),
    isNotSet: () => make("is_not_set"),
    distinct: (countMax = 1) => make("distinct_property", countMax),
    cluster: (value = "") => make("cluster", value),
    groupBy: ({ countMax, strict = false } = {}) =>
      make("group_by", [countMax ?? "", strict ? "strict" : ""].join(" ").trim()),
    equal: (value) => make("equal", value),
  };
}

/** At most one instance on an agent. */
export const distinctHosts: PlacementConstraint = { attribute: "", operator: "distinct_hosts", value: "true" };
