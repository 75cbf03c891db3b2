import { expect, test } from "vitest";
import { randomInt, randomText, seededRandom } from "./random.ts";
import { systemRandom } from "./system-random.ts";

const draw = (random: { next(): number }, count: number): number[] =>
  Array.from({ length: count }, () => random.next());

test("a seed gives the same sequence for ever", () => {
  expect(draw(seededRandom(7), 3)).toEqual(draw(seededRandom("7"), 3));
  expect(draw(seededRandom(7), 3)).not.toEqual(draw(seededRandom(8), 3));
});

test("a draw more in one stream changes nothing in another", () => {
  const one = seededRandom("seed");
  const expected = draw(one.stream("a-2"), 4);
  one.stream("a-1").next();
  one.next();
  expect(draw(one.stream("a-2"), 4)).toEqual(expected);
});

test("numbers spread evenly over their range", () => {
  const random = seededRandom("spread");
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 100_000; i++) counts[randomInt(random, 10)]!++;
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
});

test("text has the asked length and alphabet, also from the operating system", () => {
  expect(randomText(seededRandom(1), 12)).toMatch(/^[0-9a-z]{12}$/);
  expect(randomText(systemRandom.stream("x"), 12)).toMatch(/^[0-9a-z]{12}$/);
});
