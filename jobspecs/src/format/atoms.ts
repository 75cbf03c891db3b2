import { scan } from "../syntax/scanner.ts";
import { type TokenKind, token } from "../syntax/tokens.ts";

/** A token for layout: quoted text and heredocs are one atom each, whose inside is never touched. */
export interface Atom {
  readonly kind: TokenKind;
  readonly text: string;
}

/** Lines of atoms; an empty one is a blank line. */
export function atomLines(text: string): Atom[][] {
  const { kinds, starts, ends } = scan(text);
  const lines: Atom[][] = [[]];
  for (let at = 0; kinds[at] !== token.eof; at++) {
    const kind = kinds[at] as TokenKind;
    const start = starts[at] ?? 0;
    if (kind === token.newline) {
      lines.push([]);
      continue;
    }
    if (kind === token.openQuote || kind === token.openHeredoc) at = closingIndex(kinds, at);
    lines.at(-1)?.push({ kind, text: text.slice(start, ends[at] ?? text.length) });
  }
  return lines;
}

/** Index of the token that closes the template opened at `from`, over templates inside it. */
function closingIndex(kinds: readonly TokenKind[], from: number): number {
  let open = 0;
  let at = from;
  for (; at < kinds.length - 2; at++) {
    const kind = kinds[at];
    if (kind === token.openQuote || kind === token.openHeredoc) open++;
    else if ((kind === token.closeQuote || kind === token.closeHeredoc) && --open === 0) break;
  }
  return at;
}
