import { isReferenceText } from "../evaluate/value.ts";
import { formatSource } from "../format/format.ts";

export type HclValue = string | number | boolean | readonly HclValue[] | { readonly [name: string]: HclValue };

export type HclItem =
  | { readonly name: string; readonly value: HclValue }
  | { readonly type: string; readonly label?: string; readonly items: readonly HclItem[] };

/** Writes a tree as a job file in the usual form. References to the agent's names stay references. */
export function printHcl(items: readonly HclItem[]): string {
  return formatSource(printItems(items));
}

function printItems(items: readonly HclItem[]): string {
  return items
    .map((item, index) => {
      if ("name" in item) return `${item.name} = ${printValue(item.value)}\n`;
      const before = items[index - 1];
      const label = item.label === undefined ? "" : ` ${quoted(item.label)}`;
      return `${before ? "\n" : ""}${item.type}${label} {\n${printItems(item.items)}}\n`;
    })
    .join("");
}

function printValue(value: HclValue): string {
  if (typeof value === "string") return value.includes("\n") && value.endsWith("\n") ? heredoc(value) : quoted(value);
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) {
    const texts = value.map(printValue);
    const isLong = texts.some((text) => text.includes("\n")) || texts.join(", ").length > 90;
    return isLong ? `[\n${texts.map((text) => `${text},\n`).join("")}]` : `[${texts.join(", ")}]`;
  }
  const entries = Object.entries(value).map(([name, inner]) => {
    const key = /^[A-Za-z_][A-Za-z0-9_-]*$/.test(name) ? name : quoted(name);
    return `${key} = ${printValue(inner)}\n`;
  });
  return entries.length === 0 ? "{}" : `{\n${entries.join("")}}`;
}

function heredoc(text: string): string {
  let marker = "EOT";
  while (text.split("\n").some((line) => line.trim() === marker)) marker += "T";
  return `<<${marker}\n${escapedSequences(text)}${marker}\n`;
}

const signs: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\" };

function quoted(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must be written otherwise
  const plain = text.replace(/[\u0000-\u001f"\\\u007f]/g, (sign) => {
    return signs[sign] ?? `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
  return `"${escapedSequences(plain)}"`;
}

/** `${` that begins no reference stands for itself, and so does `%{`. */
function escapedSequences(text: string): string {
  return text.replace(/(\$+|%+)\{/g, (whole, run: string, at: number) => {
    const inside = text.slice(at + whole.length).split("}")[0] ?? "";
    return run === "$" && isReferenceText(inside.trim()) ? whole : `${run[0]}${whole}`;
  });
}
