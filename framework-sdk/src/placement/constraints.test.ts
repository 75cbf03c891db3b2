// biome-ignore-all lint/suspicious/noTemplateCurlyInString: constraints refer to properties so
import { expect, test } from "vitest";
import { attr } from "./attr.ts";
import { type ConstraintOperator, constraintFault, noNeighbours } from "./constraints.ts";

const agent = {
  agentId: "agent-1",
  agentName: "one",
  attributes: new Map([
    ["kernel.name", "linux"],
    ["kernel.version", "6.1.0-rc1"],
    ["cpu.cores", "10"],
    ["load", "0.75"],
    ["drivers", "process, exec"],
    ["node.datacenter", "dc1"],
    ["meta.rack", "r7"],
  ]),
};

const holds = (attribute: string, operator: ConstraintOperator, value = ""): boolean =>
  constraintFault({ attribute: `\${${attribute}}`, operator, value }, agent, noNeighbours) === undefined;

test.each<[string, ConstraintOperator, string, boolean]>([
  ["attr.kernel.name", "=", "linux", true],
  ["attr.kernel.name", "==", "linux", true],
  ["attr.kernel.name", "is", "darwin", false],
  ["attr.kernel.name", "!=", "darwin", true],
  ["attr.nothing", "!=", "darwin", true],
  ["attr.nothing", "not", "darwin", true],
  ["attr.nothing", "=", "", false],
  ["attr.cpu.cores", ">", "9", true],
  ["attr.cpu.cores", "<", "9", false],
  ["attr.cpu.cores", ">=", "10", true],
  ["attr.cpu.cores", "<=", "9.5", false],
  ["attr.load", "<", "0.8", true],
  ["attr.kernel.name", ">", "abc", true],
  ["attr.kernel.name", "regexp", "^lin", true],
  ["attr.kernel.name", "regexp", "^in", false],
  ["attr.kernel.name", "regexp", "(x+)+y", false],
  ["attr.kernel.name", "regexp", "in[uv]", true],
  ["attr.kernel.name", "regexp", "x$|^y", true],
  ["attr.kernel.name", "regexp", "(?=l)", false],
  ["attr.kernel.version", "version", ">= 5.10, < 7", true],
  ["attr.kernel.version", "version", "> 6.1", false],
  ["attr.kernel.version", "version", "~> 6.0", true],
  ["attr.kernel.version", "semver", "< 6.1.0", true],
  ["attr.cpu.cores", "version", "10", true],
  ["attr.cpu.cores", "semver", ">= 1.0.0", false],
  ["attr.drivers", "set_contains", "exec,process", true],
  ["attr.drivers", "set_contains_all", "exec,docker", false],
  ["attr.drivers", "set_contains_any", "docker, exec", true],
  ["attr.load", "is_set", "", true],
  ["attr.nothing", "is_set", "", false],
  ["attr.nothing", "is_not_set", "", true],
  ["node.unique.name", "=", "one", true],
  ["node.unique.id", "=", "agent-1", true],
  ["node.datacenter", "=", "dc1", true],
  ["meta.rack", "=", "r7", true],
  ['meta["rack"]', "=", "r7", true],
  ["attr.constructor", "is_set", "", false],
])("${%s} %s %s is %s", (attribute, operator, value, expected) => {
  expect(holds(attribute, operator, value)).toBe(expected);
});

test("a reason names the property and what it is", () => {
  const fault = (constraint: Parameters<typeof constraintFault>[0]) => constraintFault(constraint, agent, noNeighbours);
  expect(fault(attr("kernel.name").is("darwin"))).toBe('${attr.kernel.name} = darwin does not hold: it is "linux"');
  expect(fault(attr("gpu").isSet())).toBe("${attr.gpu} is not set");
});

test("distinct_hosts and distinct_property look at who is there", () => {
  const neighbours = { ...noNeighbours, countOn: () => 1, countWith: () => 2 };
  const rack = (value: string) =>
    constraintFault({ attribute: "${meta.rack}", operator: "distinct_property", value }, agent, neighbours);
  expect(constraintFault({ attribute: "", operator: "distinct_hosts", value: "true" }, agent, neighbours)).toBe(
    "distinct_hosts: has 1 already",
  );
  expect(rack("")).toBe('distinct_property: "r7" of ${meta.rack} has 2 already, at most 1');
  expect(rack("3")).toBeUndefined();
});

test("case 2: an agent without the attribute is accepted by unlike, not and is_not_set alone", () => {
  const all: readonly ConstraintOperator[] = [
    ...(["=", "==", "is", "!=", "not", "<", "<=", ">", ">=", "regexp", "like", "unlike", "version", "semver"] as const),
    ...(["set_contains", "set_contains_all", "set_contains_any", "is_set", "is_not_set"] as const),
    ...(["distinct_property", "cluster"] as const),
  ];
  const accepting = all.filter((operator) => holds("meta.none", operator, "1"));
  expect(accepting).toEqual(["!=", "not", "unlike", "is_not_set"]);
});

test("case 3: like and unlike look at the whole value", () => {
  const rack = (operator: ConstraintOperator, value: string) =>
    constraintFault(
      { attribute: "${meta.rack}", operator, value },
      { ...agent, attributes: new Map([["meta.rack", "ba"]]) },
      noNeighbours,
    );
  expect(rack("unlike", "a.*")).toBeUndefined();
  expect(rack("unlike", "b|ba")).toBe('${meta.rack} unlike b|ba does not hold: it is "ba"');
  expect(rack("like", "b")).toBe('${meta.rack} like b does not hold: it is "ba"');
  expect(rack("like", "a|b.")).toBeUndefined();
  expect(rack("unlike", "(x+)+y")).toBeUndefined();
  expect(rack("unlike", "(?=x)")).toContain("does not hold");
});
