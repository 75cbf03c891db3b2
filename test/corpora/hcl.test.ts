import { expect } from "vitest";
import { bareScope } from "../../jobspecs/src/compile/settings.ts";
import { evaluate } from "../../jobspecs/src/evaluate/evaluate.ts";
import type { Scope } from "../../jobspecs/src/evaluate/scope.ts";
import { listValue, mapValue, nullValue, type Value } from "../../jobspecs/src/evaluate/value.ts";
import { parse } from "../../jobspecs/src/syntax/parse.ts";
import { Report, Source } from "../../jobspecs/src/syntax/source.ts";
import type { Attribute, Block, Body } from "../../jobspecs/src/syntax/tree.ts";
import { testUnless } from "../e2e-root/machine.ts";
import { cloneOf } from "./clone.ts";

const { clone, reason } = cloneOf("MUSTER_HCL_CLONE", "hashicorp/hcl");
const suite = "specsuite/tests/";
const files = new Map(
  clone
    ? clone
        .read(clone.paths().filter((path) => path.startsWith(suite)))
        .map(({ path, text }) => [path.slice(suite.length), text] as const)
    : [],
);
const names = [...files.keys()].filter((path) => path.endsWith(".t")).map((path) => path.slice(0, -2));

function read(name: string) {
  const source = new Source(name, files.get(name) ?? "");
  const report = new Report();
  const body = parse(source, report);
  const scope = bareScope(source, report);
  return { body, scope, report };
}

const blocksOf = (body: Body, type: string): Block[] =>
  body.items.filter((item): item is Block => item.kind === "block" && item.type === type);

const attributeOf = (body: Body, name: string): Attribute | undefined =>
  body.items.find((item): item is Attribute => item.kind === "attribute" && item.name === name);

/** Reads a file as a specification of hcldec says; of that language what the suite uses. */
class Decoder {
  readonly #scope: Scope;
  readonly #specification: Scope;

  constructor(scope: Scope, specification: Scope) {
    this.#scope = scope;
    this.#specification = specification;
  }

  decode(kind: Block, body: Body): Value {
    const text = (name: string, fallback: string): string => {
      const found = attributeOf(kind.body, name);
      const value = found && evaluate(found.value, this.#specification);
      return value?.kind === "string" ? value.text : fallback;
    };
    const inner = kind.body.items.find((item): item is Block => item.kind === "block");
    switch (kind.type) {
      case "literal": {
        const found = attributeOf(kind.body, "value");
        return found ? evaluate(found.value, this.#specification) : nullValue;
      }
      case "attr": {
        const found = attributeOf(body, text("name", kind.labels[0]?.text ?? ""));
        return found ? evaluate(found.value, this.#scope) : nullValue;
      }
      case "object":
        return this.#object(kind, body);
      case "block": {
        const found = blocksOf(body, text("block_type", kind.labels[0]?.text ?? ""))[0];
        return found && inner ? this.decode(inner, found.body) : nullValue;
      }
      case "block_list":
        return listValue(
          blocksOf(body, text("block_type", kind.labels[0]?.text ?? "")).map((found) =>
            inner ? this.decode(inner, found.body) : nullValue,
          ),
        );
      case "block_map":
        return mapValue(
          blocksOf(body, text("block_type", kind.labels[0]?.text ?? "")).map((found) => [
            found.labels[0]?.text ?? "",
            inner ? this.decode(inner, found.body) : nullValue,
          ]),
        );
      default:
        throw new Error(`the suite uses ${kind.type}, which is not known here`);
    }
  }

  #object(kind: Block, body: Body): Value {
    const entries = kind.body.items.filter((item): item is Block => item.kind === "block");
    const known = new Set(entries.map((entry) => entry.labels[0]?.text ?? ""));
    for (const item of body.items) {
      if (item.kind === "attribute" && !known.has(item.name))
        this.#scope.report.error(this.#scope.source, item.nameSpan, {
          code: "schema/unknown-attribute",
          summary: item.name,
        });
    }
    return mapValue(entries.map((entry) => [entry.labels[0]?.text ?? "", this.decode(entry, body)]));
  }
}

/** Fifteen digits: of more a number of ours keeps none, and says so where whole ones would be wrong. */
function plain(value: Value | undefined): unknown {
  switch (value?.kind) {
    case "number":
      return Number(value.number.toPrecision(15));
    case "string":
      return value.text;
    case "bool":
      return value.bool;
    case "list":
      return value.items.map(plain);
    case "map":
      return Object.fromEntries([...value.entries].map(([key, item]) => [key, plain(item)]));
    default:
      return value?.kind;
  }
}

function wantedErrors(expected: ReturnType<typeof read>): string[] {
  return blocksOf(expected.body, "diagnostics")
    .flatMap((block) => blocksOf(block.body, "error"))
    .map(({ body }) => ["from", "to"].map((name) => place(blocksOf(body, name)[0], expected.scope)).join("-"));
}

function place(block: Block | undefined, scope: Scope): string {
  return ["line", "column"]
    .map((name) => {
      const found = block && attributeOf(block.body, name);
      const value = found && evaluate(found.value, scope);
      return value?.kind === "number" ? value.number : "?";
    })
    .join(":");
}

testUnless(reason, "HCL's own specification suite: every value and the place of every error", () => {
  expect(names.length).toBeGreaterThan(10);
  for (const name of names) {
    const specification = read(`${name}.hcldec`);
    const expected = read(`${name}.t`);
    const given = read(`${name}.hcl`);
    const root = specification.body.items.find(
      (item): item is Block => item.kind === "block" && item.type !== "variables",
    );
    if (!root) throw new Error(`${name}.hcldec holds no specification`);
    const variables = blocksOf(specification.body, "variables").flatMap(({ body }) =>
      body.items.filter((item): item is Attribute => item.kind === "attribute"),
    );
    const named = variables.map((one) => [one.name, evaluate(one.value, specification.scope)] as const);
    const value = new Decoder({ ...given.scope, names: new Map(named) }, specification.scope).decode(root, given.body);
    const errors = given.report.diagnostics.map((one) => `${one.line}:${one.column}-${one.endLine}:${one.endColumn}`);
    expect(errors, name).toEqual(wantedErrors(expected));
    const wanted = attributeOf(expected.body, "result");
    if (wanted && errors.length === 0)
      expect(plain(value), name).toEqual(plain(evaluate(wanted.value, expected.scope)));
  }
});
