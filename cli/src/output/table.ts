import { stripVTControlCharacters } from "node:util";

/** Columns with two spaces between, as wide as their widest cell; the last is not padded. Cells may be coloured. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], indent = ""): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => visibleLength(row[column] ?? ""))));
  return all
    .map(
      (row) =>
        indent +
        row
          .map((cell, column) => pad(cell, column, widths))
          .join("  ")
          .trimEnd(),
    )
    .join("\n");
}

function pad(cell: string, column: number, widths: readonly number[]): string {
  if (column === widths.length - 1) return cell;
  return cell + " ".repeat((widths[column] ?? 0) - visibleLength(cell));
}

function visibleLength(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}
