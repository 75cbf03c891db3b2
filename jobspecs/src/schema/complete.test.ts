import { expect, test } from "vitest";
import { completionsAt } from "./complete.ts";

/** Names that may stand at the mark. */
const at = (text: string): string[] => completionsAt(text.replace("|", ""), text.indexOf("|")).map(({ name }) => name);

test("names of the block around the place are offered, without those that stand there once already", () => {
  expect(at('job "j" {\n  pri|')).toEqual(["priority"]);
  expect(at('job "j" {\n  group "g" {\n    count = 2\n    co|')).toEqual(["constraint"]);
  expect(at('job "j" {\n  group "g" {\n    task "t" {\n    }\n    ta|')).toEqual(["task"]);
  expect(at("va|")).toEqual(["variable", "variables"]);
});

test("values are offered where there are only so many", () => {
  expect(at('job "j" {\n  type = "sys|')).toEqual(["system", "sysbatch"]);
  expect(at('job "j" {\n  task "t" {\n    leader = |')).toEqual(["true", "false"]);
  expect(at('job "j" {\n  meta = {\n    ty|')).toEqual([]);
});

test("what is refused or has no effect is not offered", () => {
  expect(at('job "j" {\n  group "g" {\n    network {\n      mbit|')).toEqual([]);
});
