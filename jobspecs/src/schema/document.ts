import type { AttributeSchema, BlockSchema, Status } from "./model.ts";
import { jobBlock } from "./table.ts";

const statuses: readonly Status[] = ["works", "warned", "refused"];

/** The schema as a Markdown table: one row per block, attributes by status. */
export function schemaTable(): string {
  const rows = ["| block | works | warned, without effect | refused |", "| --- | --- | --- | --- |"];
  for (const { path, block } of allBlocks()) {
    if (block.status === "works")
      rows.push(`| ${path} | ${statuses.map((status) => names(block, status)).join(" | ")} |`);
  }
  return rows.join("\n");
}

function names(block: BlockSchema, status: Status): string {
  const attributes = Object.entries<AttributeSchema>(block.attributes).filter(([, item]) => item.status === status);
  const blocks = Object.entries<BlockSchema>(block.blocks).filter(([, item]) => item.status === status);
  return [...attributes.map(([name]) => name), ...blocks.map(([name]) => `${name} { }`)].join(", ") || "-";
}

/** A page with a section for each block: what it is, and each of its attributes with type, bounds and status. */
export function schemaPage(): string {
  return allBlocks()
    .map(({ path, block }) => [heading(path, block), ...attributeRows(block), ...blockLines(block)].join("\n"))
    .join("\n\n");
}

function heading(path: string, block: BlockSchema): string {
  const label = block.labels === 1 ? ' "label"' : "";
  const status = block.status === "works" ? "" : `**${statusWords[block.status]}: ${block.reason ?? ""}.** `;
  const often = block.repeats ? "May stand several times." : "Stands once at most.";
  return `## ${path}${label}\n\n${status}${block.doc === "" ? "" : `${block.doc} `}${often}`;
}

const statusWords: Readonly<Record<Status, string>> = {
  works: "works",
  warned: "Read, without effect",
  refused: "Refused",
};

function attributeRows(block: BlockSchema): string[] {
  const entries = Object.entries(block.attributes);
  if (entries.length === 0) return [];
  const rows = entries.map(([name, item]) => {
    const remark = item.status === "works" ? item.doc : `${item.doc} **${statusWords[item.status]}**: ${item.reason}.`;
    return `| \`${name}\`${item.required ? ", required" : ""} | ${typeText(item)} | ${escaped(remark)} |`;
  });
  return ["", "| attribute | type | meaning |", "| --- | --- | --- |", ...rows];
}

function typeText(item: AttributeSchema): string {
  if (item.status !== "works") return "-";
  const words = { strings: "list of texts", "string-map": "map of texts", any: "map of lists", free: "any" } as const;
  const type = item.type in words ? words[item.type as keyof typeof words] : item.type;
  const unit = item.type === "duration" ? " ms" : "";
  if (item.min !== undefined && item.max !== undefined) return `${type}, ${item.min} to ${item.max}${unit}`;
  if (item.min !== undefined && item.min > 0) return `${type}, at least ${item.min}${unit}`;
  return type;
}

const escaped = (text: string): string => text.replaceAll("|", "\\|");

function blockLines(block: BlockSchema): string[] {
  const inner = Object.keys(block.blocks);
  return inner.length === 0 ? [] : ["", `Blocks: ${inner.map((name) => `\`${name}\``).join(", ")}.`];
}

/** Every block with the path to it; one that stands in several places is told of once, where it comes first. */
function allBlocks(): { path: string; block: BlockSchema }[] {
  const found: { path: string; block: BlockSchema }[] = [];
  const seen = new Set<BlockSchema>();
  const visit = (path: string, block: BlockSchema): void => {
    if (seen.has(block)) return;
    seen.add(block);
    found.push({ path, block });
    for (const [name, inner] of Object.entries(block.blocks)) {
      const isEmpty = inner.isOpen && inner.status !== "works";
      if (!isEmpty) visit(`${path}.${name}`, inner);
    }
  };
  visit("job", jobBlock);
  return found;
}
