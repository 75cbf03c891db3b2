import { expect, test } from "vitest";
import { globExpression } from "./compile.ts";

test.each([
  ["*.hcl", "web.hcl", true],
  ["*.hcl", "sub/web.hcl", false],
  ["**/*.hcl", "sub/deep/web.hcl", true],
  ["**/*.hcl", "web.hcl", true],
  ["w?b.hcl", "web.hcl", true],
  ["w.b", "web", false],
])("%s on %s: %s", (pattern, path, matches) => {
  expect(globExpression(pattern).test(path)).toBe(matches);
});
