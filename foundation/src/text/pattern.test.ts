import { expect, test } from "vitest";
import { seededRandom } from "../random/random.ts";
import { compilePattern, patternStepsMax } from "./pattern.ts";
import { PatternFault } from "./pattern-syntax.ts";

function matches(pattern: string, text: string): boolean | string {
  const compiled = compilePattern(pattern);
  return compiled instanceof PatternFault ? compiled.message : compiled.matches(text);
}

test("says what JavaScript's own expressions say, of patterns and texts made by chance", () => {
  const random = seededRandom("patterns");
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random.next() * items.length)] as T;
  const atom = (depth: number): string =>
    depth > 0 && random.next() < 0.4
      ? pick([`(${choice(depth - 1)})`, `(?:${choice(depth - 1)})`])
      : pick(["a", "b", "c", ".", "[ab]", "[^a]", "[a-c]", "\\d", "\\w", "\\.", "[\\d-]", "\\S", "^", "$"]);
  const repeated = (depth: number): string => {
    const one = atom(depth);
    return one === "^" || one === "$" || random.next() < 0.5
      ? one
      : one + pick(["*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "*?", "+?"]);
  };
  const sequence = (depth: number): string =>
    Array.from({ length: Math.floor(random.next() * 4) }, () => repeated(depth)).join("");
  const choice = (depth: number): string =>
    random.next() < 0.3 ? `${sequence(depth)}|${sequence(depth)}` : sequence(depth);
  for (let round = 0; round < 3_000; round++) {
    const pattern = choice(2);
    const text = Array.from({ length: Math.floor(random.next() * 7) }, () => pick([..."abc1.-\n"])).join("");
    const expected = new RegExp(`^(?:${pattern})$`).test(text);
    expect(matches(pattern, text), `${pattern} on ${JSON.stringify(text)}`).toBe(expected);
  }
});

test.each(["(a+)+", "((a)+)+b", "(a|a)*b", "(a|aa)+$", "(.*)*x", "a*a*a*a*a*a*a*a*b", "((((a*)*)*)*)*b"])(
  "%s ends, however long the text",
  (pattern) => {
    expect(matches(pattern, `${"a".repeat(20_000)}c`)).toBe(false);
  },
);

test.each([
  ["(", 'lacks a ")"'],
  ["a)", 'has a ")" too many'],
  ["[a", 'lacks a "]"'],
  ["*a", 'has nothing before "*"'],
  ["a**", "repeats a repetition"],
  ["(?=a)", "must not look around"],
  ["(a)\\1", "can't refer back"],
  ["a{3,1}", "out of order"],
  ["[z-a]", "out of order"],
  ["((a{50}){50}){50}", "too large"],
  [`${"(".repeat(60)}a${")".repeat(60)}`, "nest deeper"],
])("%s is refused: %s", (pattern, reason) => {
  expect(matches(pattern, "a")).toContain(reason);
});

test("nested counts are refused before they are written out", () => {
  expect(patternStepsMax).toBeLessThan(1_000);
  for (const inner of ["a", ""])
    expect(matches(`${"(".repeat(20)}${inner}${"){9999}".repeat(20)}`, "a")).toContain("too large");
});
