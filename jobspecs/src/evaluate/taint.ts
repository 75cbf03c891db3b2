import type { Span } from "../diagnostics/diagnostic.ts";
import type { Source } from "../syntax/source.ts";
import type { Value } from "./value.ts";

/** An attribute that such a value stands in. */
export interface HiddenAttribute {
  readonly name: string;
  readonly texts: readonly string[];
  readonly span: Span;
  readonly source: Source;
}

/** Values within each other that are followed. */
const depthMax = 100;

/**
 * Follows values that are to be shown to nobody: what was made while one of them was read is one itself. Conservative: it is
 * asked about whole expressions.
 */
export class Taint {
  readonly #values = new WeakSet<Value>();
  readonly #attributes: HiddenAttribute[] = [];
  #reads = 0;

  get attributes(): readonly HiddenAttribute[] {
    return this.#attributes;
  }

  note(attribute: HiddenAttribute): void {
    this.#attributes.push(attribute);
  }

  /** This value, and all that it holds, are to be shown to nobody. O(its size). */
  mark(value: Value, depth = 0): void {
    // Of these there is one each for the whole program.
    if (value.kind === "bool" || value.kind === "null" || value.kind === "unknown" || depth > depthMax) return;
    this.#values.add(value);
    if (value.kind === "list") for (const item of value.items) this.mark(item, depth + 1);
    if (value.kind === "map") for (const item of value.entries.values()) this.mark(item, depth + 1);
  }

  /** Somebody has read it. */
  read(value: Value): void {
    if (this.#values.has(value)) this.#reads++;
  }

  /** Whether such a value was read meanwhile; what came of it is one too. */
  during(make: () => Value): { readonly value: Value; readonly isTainted: boolean } {
    const before = this.#reads;
    const value = make();
    const isTainted = this.#reads > before;
    if (isTainted) this.mark(value);
    return { value, isTainted };
  }
}
