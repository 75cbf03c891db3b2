import fc from "fast-check";
import { expect, test } from "vitest";
import { Matcher } from "./matcher.ts";

test.each([
  ["error", "an error here", true],
  ["error", "an Error here", false],
  ["(?i)error", "an ERROR here", true],
  ["^GET /(a|b)+ \\d{3}$", "GET /abba 200", true],
  ["^GET /(a|b)+ \\d{3}$", "GET /abba 20", false],
  ["\\bcat\\b", "a cat sat", true],
  ["\\bcat\\b", "concatenate", false],
  ["[^a-c\\s]", "a b c", false],
  ["x{2,3}y", "axxy", true],
  ["größe|été", "l'été", true],
  ["", "", true],
  ["^$", "x", false],
  ["a{,2}", "a{,2}", true],
])("%s on %s: %s", (pattern, line, expected) => {
  expect(new Matcher(pattern).matches(line)).toBe(expected);
});

test.each([
  ["(a", '"(" without ")"'],
  ["a)", '")" without "("'],
  ["[a", '"[" without "]"'],
  ["*a", "nothing to repeat"],
  ["a**", "nothing to repeat"],
  ["(a)\\1", "references"],
  ["(?=a)", "only (?:"],
  ["\\q", "not known"],
  ["a{3,2}", "out of order"],
  ["((a{50}){50}){50}", "too complex"],
  ["a".repeat(600), "longer than"],
  ["(".repeat(60), "groups within each other"],
  ["\\", "at the end"],
])("%s is refused: %s", (pattern, why) => {
  expect(() => new Matcher(pattern)).toThrow(why);
});

/** Patterns that both notations have, built so that they are valid. */
const { pattern } = fc.letrec<{ pattern: string; atom: string }>((tie) => ({
  atom: fc.oneof(
    {
      weight: 6,
      arbitrary: fc.constantFrom("a", "b", "_", ".", "\\w", "\\W", "\\s", "[ab]", "[^a]", "[a-c-]", "\\x61"),
    },
    { weight: 2, arbitrary: tie("pattern").map((inner) => `(${inner})`) },
  ),
  pattern: fc
    .array(
      fc.oneof(
        fc
          .tuple(tie("atom"), fc.constantFrom("", "", "*", "+", "?", "{2}", "{1,3}", "*?"))
          .map(([atom, count]) => atom + count),
        fc.constantFrom("^", "$", "\\b", "\\B", "|"),
      ),
      { maxLength: 6 },
    )
    .map((parts) => parts.join("")),
}));

test("a line matches just when JavaScript's own engine says so", () => {
  const line = fc.string({ unit: fc.constantFrom("a", "b", "c", "_", " ", "-", "é"), maxLength: 12 });
  fc.assert(
    fc.property(pattern, fc.array(line, { minLength: 1, maxLength: 8 }), fc.boolean(), (text, lines, ignoresCase) => {
      const ours = matcherOf(ignoresCase ? `(?i)${text}` : text);
      // Repetitions within repetitions may need more steps than there may be.
      fc.pre(ours !== undefined);
      const theirs = new RegExp(text, ignoresCase ? "i" : "");
      for (const each of lines) expect(ours?.matches(each), `${text} on "${each}"`).toBe(theirs.test(each));
    }),
    { numRuns: 2_000 },
  );
});

function matcherOf(text: string): Matcher | undefined {
  try {
    return new Matcher(text);
  } catch (error) {
    if ((error as Error).message.startsWith("too complex")) return undefined;
    throw error;
  }
}

test("patterns over which others backtrack for ever take no more than a pass", () => {
  const line = `${"a".repeat(16_000)}!`;
  for (const text of ["^(a+)+$", "^(a|a)*$", "(a*)*b", "^(\\w+\\s?)*$", "(a?){50}a{50}$"]) {
    const matcher = new Matcher(text);
    expect(matcher.matches(line)).toBe(false);
    const once = matcher.workCount;
    // Each step leads to at most two others, and is looked at once for each way to it.
    expect(once, text).toBeLessThanOrEqual(3 * matcher.stepCount * (line.length + 1));
    expect(matcher.matches(line)).toBe(false);
    expect(matcher.workCount - once, text).toBeLessThanOrEqual(once);
  }
});
