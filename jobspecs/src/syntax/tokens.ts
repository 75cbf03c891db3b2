/** Kinds of tokens. Spaces and tabs are no tokens: they are what lies between the end of one and the start of the next. */
export const token = {
  eof: 0,
  newline: 1,
  comment: 2,
  identifier: 3,
  number: 4,
  openBrace: 5,
  closeBrace: 6,
  openBracket: 7,
  closeBracket: 8,
  openParen: 9,
  closeParen: 10,
  openQuote: 11,
  closeQuote: 12,
  /** Literal text of a quoted string: with escapes still in it. */
  quotedText: 13,
  /** `<<EOF` or `<<-EOF` with its line break. */
  openHeredoc: 14,
  /** The end marker, without its line break. */
  closeHeredoc: 15,
  /** Literal text of a heredoc: at most one line, with its line break. */
  heredocText: 16,
  /** `${` or `${~` */
  interpolation: 17,
  /** `%{` or `%{~` */
  control: 18,
  /** `}` or `~}` that ends one of the two above. */
  sequenceEnd: 19,
  dot: 20,
  comma: 21,
  ellipsis: 22,
  star: 23,
  slash: 24,
  percent: 25,
  plus: 26,
  minus: 27,
  equal: 28,
  equalEqual: 29,
  notEqual: 30,
  less: 31,
  lessEqual: 32,
  greater: 33,
  greaterEqual: 34,
  and: 35,
  or: 36,
  bang: 37,
  question: 38,
  colon: 39,
  arrow: 40,
  /** A line break inside quotes. */
  quotedNewline: 41,
  invalid: 42,
} as const;

export type TokenKind = (typeof token)[keyof typeof token];

/** Tokens of a source as parallel lists: no object per token. The last one is always `eof`. */
export interface Tokens {
  readonly kinds: readonly TokenKind[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}
