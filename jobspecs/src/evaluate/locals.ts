import type { Span } from "../diagnostics/diagnostic.ts";
import type { Source } from "../syntax/source.ts";
import type { Attribute } from "../syntax/tree.ts";
import { evaluate } from "./evaluate.ts";
import type { Scope } from "./scope.ts";
import { unknownValue, type Value } from "./value.ts";

export interface LocalDefinition {
  readonly attribute: Attribute;
  readonly source: Source;
}

/** Locals, each evaluated when first asked for; the path of open evaluations finds cycles. */
export class Locals {
  readonly #definitions: ReadonlyMap<string, LocalDefinition>;
  readonly #values = new Map<string, Value>();
  readonly #open: string[] = [];

  constructor(definitions: ReadonlyMap<string, LocalDefinition>) {
    this.#definitions = definitions;
  }

  names(): readonly string[] {
    return [...this.#definitions.keys()];
  }

  /** undefined = not declared. `scope` must resolve `local` through this object. */
  get(name: string, use: Span, scope: Scope): Value | undefined {
    const known = this.#values.get(name);
    if (known) return known;
    const definition = this.#definitions.get(name);
    if (!definition) return undefined;
    const at = this.#open.indexOf(name);
    if (at >= 0) {
      const path = [...this.#open.slice(at), name].map((part) => `local.${part}`).join(" -> ");
      scope.report.error(scope.source, use, {
        code: "evaluate/cycle",
        summary: `locals refer to each other in a circle: ${path}`,
        related: {
          source: definition.source,
          span: definition.attribute.nameSpan,
          summary: `"${name}" is declared here`,
        },
      });
      return unknownValue;
    }
    this.#open.push(name);
    // A loop's or an iterator's names do not reach into the definition of a local.
    const within = { ...scope, source: definition.source, names: new Map() };
    const { value } = scope.surroundings.taint.during(() => evaluate(definition.attribute.value, within));
    this.#open.pop();
    this.#values.set(name, value);
    return value;
  }
}
