import { scan } from "../syntax/scanner.ts";
import { type TokenKind, token } from "../syntax/tokens.ts";
import type { BlockSchema } from "./model.ts";
import { fileBlock } from "./table.ts";

export interface Completion {
  readonly name: string;
  readonly kind: "attribute" | "block" | "value";
  readonly doc: string;
  /** What to write: `name = `, `name "" {`, or a value in quotes. */
  readonly text: string;
}

/** Blocks of the top of a file that hold names of the author's own. */
const topBlocks: Readonly<Record<string, string>> = {
  variable: "Something that is given from outside.",
  variables: "Names with defaults.",
  locals: "Names with values.",
};

/**
 * What may be written at a place of a text that is being written: names of the block around it that begin as the word
 * before the place does and are not there yet, or the values that an attribute may have. O(length of the text).
 */
export function completionsAt(text: string, offset: number): Completion[] {
  const { kinds, starts, ends } = scan(text.slice(0, offset));
  const place = placeOf(text, kinds, starts, ends);
  if (!place) return [];
  const { block, isTop, word, attribute } = place;
  if (attribute !== undefined) {
    const values =
      block.attributes[attribute]?.oneOf ?? (block.attributes[attribute]?.type === "bool" ? ["true", "false"] : []);
    const isBool = block.attributes[attribute]?.type === "bool";
    return values
      .filter((value) => value.startsWith(word))
      .map((value) => ({ name: value, kind: "value", doc: "", text: isBool ? value : `"${value}"` }));
  }
  const found: Completion[] = [];
  for (const [name, item] of Object.entries(block.attributes))
    if (item.status === "works" && name.startsWith(word) && !place.written.has(name))
      found.push({ name, kind: "attribute", doc: item.doc, text: `${name} = ` });
  for (const [name, item] of Object.entries(block.blocks))
    if (item.status === "works" && name.startsWith(word) && (item.repeats || !place.written.has(name)))
      found.push({ name, kind: "block", doc: item.doc, text: `${name} ${item.labels === 1 ? '"" ' : ""}{` });
  if (isTop)
    for (const [name, doc] of Object.entries(topBlocks))
      if (name.startsWith(word)) found.push({ name, kind: "block", doc, text: `${name} {` });
  return found;
}

interface Level {
  readonly block: BlockSchema | undefined;
  readonly written: Set<string>;
}

/** Follows the blocks that are open at the end of the tokens. */
function placeOf(text: string, kinds: readonly TokenKind[], starts: readonly number[], ends: readonly number[]) {
  const levels: Level[] = [{ block: fileBlock, written: new Set() }];
  /** Brackets of a value that is not closed yet. */
  let open = 0;
  let line: string[] = [];
  let assigned = false;
  for (let at = 0; kinds[at] !== token.eof; at++) {
    const kind = kinds[at];
    const word = text.slice(starts[at], ends[at]);
    const level = levels.at(-1);
    if (kind === token.newline && open === 0) {
      if (line[0] !== undefined) level?.written.add(line[0]);
      line = [];
      assigned = false;
    } else if (assigned && (kind === token.openBrace || kind === token.openBracket || kind === token.openParen)) open++;
    else if (open > 0 && (kind === token.closeBrace || kind === token.closeBracket || kind === token.closeParen))
      open--;
    else if (kind === token.equal) assigned = true;
    else if (kind === token.openBrace) {
      level?.written.add(line[0] ?? "");
      levels.push({ block: level?.block?.blocks[line[0] ?? ""], written: new Set() });
      line = [];
    } else if (kind === token.closeBrace && levels.length > 1) {
      levels.pop();
      line = ["}"];
    } else if (kind === token.identifier || kind === token.quotedText) line.push(word);
  }
  const level = levels.at(-1);
  if (!level?.block || open > 0) return undefined;
  const last = assigned ? (line.length > 1 ? (line.at(-1) ?? "") : "") : line.length === 1 ? (line[0] ?? "") : "";
  if (!assigned && line.length > 1) return undefined;
  return {
    block: level.block,
    written: level.written,
    isTop: levels.length === 1,
    word: last,
    attribute: assigned ? line[0] : undefined,
  };
}
