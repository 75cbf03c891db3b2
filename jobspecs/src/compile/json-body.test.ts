// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts show the language, where ${ } is meant.
import { expect, test } from "vitest";
import { canonicalJson } from "../job/canonical.ts";
import { compileJob } from "./compile.ts";

const hcl = `variable "n" {
  type    = number
  default = 2
}
job "web" {
  type = "service"
  meta = { a = "x\\n\${var.n}" }
  group "g" {
    count = var.n
    network {
      port "http" {
        to = -1
      }
    }
    dynamic "service" {
      for_each = ["a", "b"]
      content {
        name = "s-\${service.value}"
        port = "http"
      }
    }
    task "t" {
      driver = "process"
      config {
        command = "/bin/\${NOMAD_TASK_NAME}"
        args    = ["\${var.n + 1}", "$\${x}", upper("a\\tb")]
      }
    }
  }
}
`;

const json = String.raw`{
  "//": "the same",
  "variable": { "n": { "type": "number", "default": 2 } },
  "job": { "web": {
    "type": "service",
    "meta": { "a": "x\n${"${var.n}"}" },
    "group": { "g": {
      "count": "${"${var.n}"}",
      "network": { "port": { "http": { "to": -1 } } },
      "dynamic": { "service": {
        "for_each": ["a", "b"],
        "content": { "name": "s-${"${service.value}"}", "port": "http" }
      } },
      "task": { "t": {
        "driver": "process",
        "config": {
          "command": "/bin/${"${NOMAD_TASK_NAME}"}",
          "args": ["${"${var.n + 1}"}", "$${"${x}"}", "${'${upper(\\"a\\\\tb\\")}'}"]
        }
      } }
    } }
  } }
}`
  .replaceAll('\\\\"', '\\"')
  .replaceAll("\\\\\\\\t", "\\\\t");

const compiled = (file: string, text: string) => {
  const { job, diagnostics } = compileJob({ file, text });
  expect(diagnostics).toEqual([]);
  return job ? canonicalJson(job) : "";
};

test("a job file in JSON means what the same in HCL means", () => {
  expect(compiled("web.json", json)).toBe(compiled("web.hcl", hcl));
});

const places = (text: string): string[] =>
  compileJob({ file: "j.json", text }).diagnostics.map((one) => `${one.line}:${one.column} ${one.code}`);

test("what is wrong in JSON is told at its place, also inside of texts", () => {
  expect(
    places(
      '{"job": {"j": {"cout": 1, "group": {"g": {"task": {"t": {"driver": "process", "config": {"command": "x"}}}}}}}}',
    ),
  ).toEqual(["1:16 schema/unknown-attribute"]);
  expect(
    places(
      '{"job": {"j": {"meta": {"a": "\\n${var.none}"}, "task": {"t": {"driver": "process", "config": {"command": "x"}}}}}}',
    ),
  ).toEqual(["1:39 evaluate/unknown-variable"]);
  expect(places('{"job": 3}')).toEqual(["1:9 schema/labels"]);
});

test.each([
  ['{"job": }', "1:9"],
  ['{"a": 1,}', "1:9"],
  ['{"a": 1} x', "1:10"],
  ["{'a': 1}", "1:2"],
  ['{"a": "\\q"}', "1:7"],
  ['{"a": tru}', "1:7"],
  ["{", "1:2"],
  [`{"a": ${"[".repeat(200)}`, "1:106"],
  ['{"Job": {"ID": "x"}}', "1:2"],
])("%s is no job file in JSON", (text, place) => {
  expect(places(text)[0]).toBe(`${place} syntax/json`);
});
