import type { AttributeSchema, BlockSchema } from "./model.ts";
import { jobBlock } from "./table.ts";

/** The schema as a Markdown table: one row per block, attributes by status. */
export function schemaTable(): string {
  const rows = ["| block | works | warned, without effect | refused |", "| --- | --- | --- | --- |"];
  appendRows("job", jobBlock, rows, new Set());
  return rows.join("\n");
}

function appendRows(path: string, block: BlockSchema, rows: string[], seen: Set<BlockSchema>): void {
  // A block that stands in several places is described once.
  if (seen.has(block)) return;
  seen.add(block);
  rows.push(`| ${path} | ${["works", "warned", "refused"].map((status) => names(block, status)).join(" | ")} |`);
  for (const [name, inner] of Object.entries(block.blocks)) {
    if (inner.status === "works") appendRows(`${path}.${name}`, inner, rows, seen);
  }
}

function names(block: BlockSchema, status: string): string {
  const attributes = Object.entries<AttributeSchema>(block.attributes).filter(([, item]) => item.status === status);
  const blocks = Object.entries<BlockSchema>(block.blocks).filter(([, item]) => item.status === status);
  return [...attributes.map(([name]) => name), ...blocks.map(([name]) => `${name} { }`)].join(", ") || "-";
}
