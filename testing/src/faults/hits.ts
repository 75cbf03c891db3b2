/** Counts how often a fault befell a component. A fault that never hits proves nothing about what withstands it. */
export class Hits {
  readonly #counts = new Map<string, Map<string, number>>();

  add(fault: string, component: string, count = 1): void {
    let row = this.#counts.get(fault);
    if (row === undefined) {
      row = new Map();
      this.#counts.set(fault, row);
    }
    row.set(component, (row.get(component) ?? 0) + count);
  }

  count(fault: string, component: string): number {
    return this.#counts.get(fault)?.get(component) ?? 0;
  }

  merge(other: Iterable<readonly [fault: string, component: string, count: number]>): void {
    for (const [fault, component, count] of other) this.add(fault, component, count);
  }

  /** Every pair that was hit, with its count. */
  *entries(): Generator<readonly [fault: string, component: string, count: number]> {
    for (const [fault, row] of this.#counts) for (const [component, count] of row) yield [fault, component, count];
  }

  /** The expected pairs that were never hit, as "fault x component". */
  missing(expected: readonly (readonly [fault: string, component: string])[]): string[] {
    return expected
      .filter(([fault, component]) => this.count(fault, component) === 0)
      .map(([fault, component]) => `${fault} x ${component}`);
  }

  /** A table for people: a line per fault, a column per component. */
  table(): string {
    const faults = [...this.#counts.keys()].sort();
    const components = [...new Set([...this.entries()].map(([, component]) => component))].sort();
    const rows = [
      ["", ...components],
      ...faults.map((fault) => [fault, ...components.map((c) => this.#cell(fault, c))]),
    ];
    const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
    return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")).join("\n");
  }

  #cell(fault: string, component: string): string {
    const count = this.count(fault, component);
    return count === 0 ? "-" : String(count);
  }
}
