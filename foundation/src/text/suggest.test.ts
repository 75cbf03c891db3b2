import { expect, test } from "vitest";
import { editDistance, suggest } from "./suggest.ts";

test("a typo finds what was meant", () => {
  expect(suggest("cout", ["count", "constraint"])).toBe("count");
  expect(suggest("vaildate", ["validate", "version"])).toBe("validate");
});

test("what is too far away is no suggestion", () => {
  expect(suggest("xyz", ["count", "job"])).toBeUndefined();
  expect(suggest("ab", ["cd"])).toBeUndefined();
});

test("swapping neighbours is one edit", () => {
  expect(editDistance("abcd", "abdc")).toBe(1);
  expect(editDistance("", "abc")).toBe(3);
});
