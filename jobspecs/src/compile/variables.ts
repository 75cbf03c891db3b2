import { didYouMean } from "../diagnostics/suggest.ts";
import { evaluate } from "../evaluate/evaluate.ts";
import type { Scope, Surroundings } from "../evaluate/scope.ts";
import { convert, parseType, type Type, typeName } from "../evaluate/types.ts";
import { givenText, kindName, toBool, toText, unknownValue, type Value } from "../evaluate/value.ts";
import { parse, parseLoneExpression } from "../syntax/parse.ts";
import { type Report, Source } from "../syntax/source.ts";
import type { Attribute, Block, Expression } from "../syntax/tree.ts";

export interface VariableInputs {
  /** `-var name=value`, in order; the last one wins. */
  readonly variables: readonly { readonly name: string; readonly value: string }[];
  /** `-var-file`, in order. */
  readonly variableFiles: readonly { readonly file: string; readonly text: string }[];
  /** NOMAD_VAR_name and MUSTER_VAR_name are read. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

interface Declaration {
  readonly name: string;
  readonly span: { readonly start: number; readonly end: number };
  readonly source: Source;
  readonly type: Type;
  readonly defaultValue?: Expression;
  readonly validations: readonly Block[];
  /** Its value is shown to nobody. */
  readonly sensitive: boolean;
}

/** A text that no excerpt shows. */
class HiddenSource extends Source {
  override lineText(): string {
    return "(sensitive)";
  }
}

/** Declared variables with their values: default < environment < files in order < -var. */
export class Variables {
  readonly #declarations = new Map<string, Declaration>();
  readonly #values = new Map<string, Value>();
  readonly #report: Report;
  readonly #surroundings: Surroundings;

  constructor(report: Report, surroundings: Surroundings) {
    this.#report = report;
    this.#surroundings = surroundings;
  }

  names(): readonly string[] {
    return [...this.#declarations.keys()];
  }

  sensitiveNames(): readonly string[] {
    return [...this.#declarations.values()].flatMap(({ name, sensitive }) => (sensitive ? [name] : []));
  }

  /** Where the defaults of sensitive variables stand in a file. */
  sensitiveDefaults(source: Source): readonly Expression[] {
    return [...this.#declarations.values()].flatMap((one) =>
      one.sensitive && one.defaultValue && one.source === source ? [one.defaultValue] : [],
    );
  }

  /** undefined = not declared. A declared variable without any value was reported, and is unknown. */
  get(name: string): Value | undefined {
    return this.#declarations.has(name) ? (this.#values.get(name) ?? unknownValue) : undefined;
  }

  /** `variable "name" { }` */
  declare(block: Block, source: Source): void {
    const label = block.labels[0];
    if (block.labels.length !== 1 || !label) {
      this.#report.error(source, block.typeSpan, {
        code: "schema/labels",
        summary: 'block "variable" takes one label',
        hint: 'write variable "name" {',
      });
      return;
    }
    const parts = this.#readDeclaration(block, source);
    this.#add({ name: label.text, span: label, source, ...parts });
  }

  /** `variables { name = default }` */
  declareShort(attribute: Attribute, source: Source): void {
    this.#add({
      name: attribute.name,
      span: attribute.nameSpan,
      source,
      type: "any",
      defaultValue: attribute.value,
      validations: [],
      sensitive: false,
    });
  }

  #add(declaration: Declaration): void {
    const first = this.#declarations.get(declaration.name);
    if (!first) {
      this.#declarations.set(declaration.name, declaration);
      return;
    }
    this.#report.error(declaration.source, declaration.span, {
      code: "schema/repeated",
      summary: `variable "${declaration.name}" is declared twice`,
      related: { source: first.source, span: first.span, summary: "first declared here" },
    });
  }

  #readDeclaration(block: Block, source: Source): Omit<Declaration, "name" | "span" | "source"> {
    let type: Type = "any";
    let sensitive = false;
    let defaultValue: Expression | undefined;
    const validations: Block[] = [];
    for (const item of block.body.items) {
      const name = item.kind === "block" ? item.type : item.name;
      if (item.kind === "block" && name === "validation") validations.push(item);
      else if (item.kind === "attribute" && name === "default") defaultValue = item.value;
      else if (item.kind === "attribute" && name === "type") {
        const parsed = parseType(item.value, (inner) => evaluate(inner, this.#scope(source)));
        if (parsed) type = parsed;
        else {
          this.#report.error(source, item.value, {
            code: "evaluate/bad-type",
            summary: "this is no type",
            detail:
              "Types are string, number, bool, any, list(...), set(...), map(...), object({...}), tuple([...]); within an object also optional(type, default).",
          });
        }
      } else if (item.kind === "attribute" && name === "sensitive") {
        const value = toBool(evaluate(item.value, this.#scope(source)));
        sensitive = value === true;
        if (value === undefined)
          this.#report.error(source, item.value, { code: "schema/wrong-type", summary: "sensitive is true or false" });
      } else if (item.kind !== "attribute" || name !== "description") {
        this.#report.error(source, item.kind === "block" ? item.typeSpan : item.nameSpan, {
          code: `schema/unknown-${item.kind}`,
          summary: `no ${item.kind} "${name}" in variable`,
          hint: didYouMean(name, ["type", "default", "description", "sensitive", "validation"]),
        });
      }
    }
    return { type, validations, sensitive, ...(defaultValue ? { defaultValue } : {}) };
  }

  /** Settles all values; what has none, a wrong type or fails its validation is reported. */
  settle(inputs: VariableInputs): void {
    const given = new Map<string, Value>();
    this.#fromEnvironment(inputs.environment, given);
    for (const { file, text } of inputs.variableFiles) this.#fromFile(new Source(file, text), given);
    for (const { name, value } of inputs.variables) this.#fromFlag(name, value, given);
    for (const declaration of this.#declarations.values()) this.#settleOne(declaration, given.get(declaration.name));
  }

  #scope(source: Source): Scope {
    return {
      source,
      report: this.#report,
      surroundings: this.#surroundings,
      names: new Map(),
      variable: () => undefined,
      variableNames: () => [],
      local: () => undefined,
      localNames: () => [],
    };
  }

  #fromEnvironment(environment: VariableInputs["environment"], given: Map<string, Value>): void {
    for (const prefix of ["NOMAD_VAR_", "MUSTER_VAR_"]) {
      for (const declaration of this.#declarations.values()) {
        const text = environment[prefix + declaration.name];
        if (text === undefined) continue;
        given.set(declaration.name, this.#fromText(`environment ${prefix}${declaration.name}`, text, declaration));
      }
    }
  }

  #fromFlag(name: string, text: string, given: Map<string, Value>): void {
    const declaration = this.#declarations.get(name);
    if (declaration) given.set(name, this.#fromText(`-var ${name}`, text, declaration));
    else this.#undeclared(name, new Source(`-var ${name}`, text), { start: 0, end: 0 });
  }

  /** Text for a string is taken as it is; anything else is an expression. */
  #fromText(origin: string, text: string, { type, sensitive }: Declaration): Value {
    if (type === "string") return givenText(text);
    if (type === "any" && !/^\s*(?:[[{"]|-?\d+(?:\.\d+)?\s*$|true\s*$|false\s*$|null\s*$)/.test(text)) {
      return givenText(text);
    }
    const source = sensitive ? new HiddenSource(origin, text) : new Source(origin, text);
    const expression = parseLoneExpression(source, this.#report);
    return expression ? evaluate(expression, this.#scope(source)) : unknownValue;
  }

  #fromFile(source: Source, given: Map<string, Value>): void {
    for (const item of parse(source, this.#report).items) {
      if (item.kind === "block") {
        this.#report.error(source, item.typeSpan, {
          code: "schema/unknown-block",
          summary: "a variable file holds no blocks, only name = value",
        });
      } else if (this.#declarations.has(item.name)) given.set(item.name, evaluate(item.value, this.#scope(source)));
      else this.#undeclared(item.name, source, item.nameSpan);
    }
  }

  #undeclared(name: string, source: Source, span: { start: number; end: number }): void {
    this.#report.error(source, span, {
      code: "evaluate/unknown-variable",
      summary: `no variable "${name}" is declared in the job file`,
      hint: didYouMean(name, this.#declarations.keys()),
    });
  }

  #settleOne(declaration: Declaration, given: Value | undefined): void {
    const { source } = declaration;
    const raw = given ?? (declaration.defaultValue && evaluate(declaration.defaultValue, this.#scope(source)));
    if (!raw) {
      this.#report.error(source, declaration.span, {
        code: "evaluate/no-value",
        summary: `variable "${declaration.name}" has no value`,
        hint: `give one: -var ${declaration.name}=..., or a default`,
      });
      return;
    }
    const value = convert(raw, declaration.type);
    if (!value) {
      this.#report.error(source, (given ? undefined : declaration.defaultValue) ?? declaration.span, {
        code: "evaluate/wrong-type",
        summary: `variable "${declaration.name}" is ${typeName(declaration.type)}, not a ${kindName(raw)}`,
      });
      return;
    }
    if (declaration.sensitive) this.#surroundings.taint.mark(value);
    this.#values.set(declaration.name, value);
    for (const validation of declaration.validations) this.#validate(declaration, validation, value);
  }

  #validate(declaration: Declaration, validation: Block, value: Value): void {
    const scope: Scope = {
      ...this.#scope(declaration.source),
      variable: (name) => (name === declaration.name ? value : undefined),
      variableNames: () => [declaration.name],
    };
    const find = (name: string) =>
      validation.body.items.find((item) => item.kind === "attribute" && item.name === name) as Attribute | undefined;
    const condition = find("condition");
    const message = find("error_message");
    if (!condition || !message) {
      this.#report.error(declaration.source, validation.typeSpan, {
        code: "schema/missing",
        summary: `a validation needs ${condition ? "error_message" : "condition"}`,
      });
      return;
    }
    const result = evaluate(condition.value, scope);
    if (result.kind === "unknown" || toBool(result) === true) return;
    this.#report.error(declaration.source, condition.value, {
      code: "evaluate/validation",
      summary:
        toBool(result) === false
          ? `variable "${declaration.name}": ${toText(evaluate(message.value, scope)) ?? "not valid"}`
          : "the condition is no bool",
      related: { source: declaration.source, span: declaration.span, summary: "declared here" },
    });
  }
}
