import { type TokenKind, token } from "../syntax/tokens.ts";
import type { Atom } from "./atoms.ts";

const openers = new Set<TokenKind>([token.openBracket, token.openParen]);
const closers = new Set<TokenKind>([token.closeBracket, token.closeParen]);

/** After one of these a minus or a star begins a value. */
const beforeValue = new Set<TokenKind>([
  token.openBrace,
  token.openBracket,
  token.openParen,
  token.comma,
  token.equal,
  token.equalEqual,
  token.notEqual,
  token.less,
  token.lessEqual,
  token.greater,
  token.greaterEqual,
  token.and,
  token.or,
  token.bang,
  token.question,
  token.colon,
  token.arrow,
  token.plus,
  token.minus,
  token.star,
  token.slash,
  token.percent,
]);

const keywords = new Set(["in", "if", "for"]);

/** The atoms of a line with the blanks that belong between them. */
export function joinAtoms(atoms: readonly Atom[]): string {
  let text = "";
  for (const [index, atom] of atoms.entries()) {
    const before = atoms[index - 1];
    if (before && isSpaced(atoms[index - 2], before, atom)) text += " ";
    text += atom.text;
  }
  return text;
}

function isSpaced(earlier: Atom | undefined, before: Atom, atom: Atom): boolean {
  if (atom.kind === token.comment || before.kind === token.comment) return true;
  if (before.kind === token.dot || atom.kind === token.dot) return false;
  if (atom.kind === token.comma || atom.kind === token.ellipsis) return false;
  if (openers.has(before.kind) || closers.has(atom.kind)) return false;
  if (before.kind === token.openBrace && atom.kind === token.closeBrace) return false;
  if (isUnary(earlier, before)) return false;
  if (atom.kind === token.openParen || atom.kind === token.openBracket) return !follows(before);
  return true;
}

function isUnary(earlier: Atom | undefined, sign: Atom): boolean {
  if (sign.kind === token.bang) return true;
  if (sign.kind !== token.minus) return false;
  if (!earlier) return true;
  return beforeValue.has(earlier.kind) || (earlier.kind === token.identifier && keywords.has(earlier.text));
}

/** A bracket right after these is a call or an index. */
function follows(before: Atom): boolean {
  if (before.kind === token.identifier) return !keywords.has(before.text);
  return closers.has(before.kind) || before.kind === token.closeBrace || before.kind === token.openQuote;
}
