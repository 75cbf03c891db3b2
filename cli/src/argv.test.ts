import { expect, test } from "vitest";
import { normaliseArgv } from "./argv.ts";

const known = {
  long: new Set(["var", "detach", "check-index", "follow", "json", "instance"]),
  short: new Set(["f", "n", "h", "i", "t"]),
  valued: new Set(["var", "check-index", "n", "instance"]),
};
const normalise = (line: string): string => normaliseArgv(line.split(" "), known).join(" ");

test.each([
  ["job run -detach -var a=b web.hcl", "job run --detach --var a=b web.hcl"],
  ["job run -var=a=b web.hcl", "job run --var=a=b web.hcl"],
  ["job run -check-index 3 web.hcl", "job run --check-index 3 web.hcl"],
  ["job logs -f web", "job logs -f web"],
  ["job logs -fn 5 web", "job logs -fn 5 web"],
  ["job logs -h", "job logs -h"],
  ["job run --detach web.hcl", "job run --detach web.hcl"],
  ["job run -dettach web.hcl", "job run --dettach web.hcl"],
  ["job scale web -1", "job scale web -1"],
  ["job fmt -", "job fmt -"],
])("%s reads as %s", (typed, meant) => {
  expect(normalise(typed)).toBe(meant);
});

test.each([
  ["job exec web ls -la", "job exec web -- ls -la"],
  ["job exec -instance web.0 web ls -la", "job exec --instance web.0 web -- ls -la"],
  ["job exec web -- ls -la", "job exec web -- ls -la"],
  ["job exec web", "job exec web"],
  ["task exec web.web.0 ls -la", "task exec web.web.0 -- ls -la"],
  ["job exec -it web sh -l", "job exec -it web -- sh -l"],
  ["-json job exec web ls", "--json job exec web -- ls"],
])("the flags of a command to execute stay its own: %s", (typed, meant) => {
  expect(normalise(typed)).toBe(meant);
});
