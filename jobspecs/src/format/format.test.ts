import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { formatSource } from "./format.ts";

const examples = new URL("../../examples/", import.meta.url);

test.each(readdirSync(examples))("example %s is formatted already", (name) => {
  const text = readFileSync(new URL(name, examples), "utf8");
  expect(formatSource(text)).toBe(text);
});

const messy = `job   "a"{
datacenters=[ "x","y" ]   # where
   type="batch"// kind

 # alone
group "g" {
      args = [ "-e",<<EOF
   kept   as is
EOF
, f (1 ,- 2)]
 meta={ a=1
      long_name : !x }
  v = a [ * ] . b+ - 1
}
}`;

const tidy = `job "a" {
  datacenters = ["x", "y"] # where
  type        = "batch"    // kind

  # alone
  group "g" {
    args = ["-e", <<EOF
   kept   as is
EOF
      , f(1, -2)]
    meta = { a = 1
      long_name : !x }
    v = a[*].b + -1
  }
}
`;

test("blanks change, everything else stays", () => {
  expect(formatSource(messy)).toBe(tidy);
});

test("what is formatted stays as it is", () => {
  expect(formatSource(tidy)).toBe(tidy);
});

test("a text with errors comes back untouched", () => {
  expect(formatSource("a  =  [\n")).toBe("a  =  [\n");
});
