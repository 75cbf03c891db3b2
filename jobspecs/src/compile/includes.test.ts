// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts show the language, where ${ } is meant.
import { expect, test } from "vitest";
import type { FileReader } from "../evaluate/scope.ts";
import { type CompileInputs, compileJob } from "./compile.ts";

/** Files of a folder by name. */
function folder(files: Readonly<Record<string, string>>): FileReader {
  return {
    read: (path) => {
      const text = files[path];
      if (text === undefined) throw new Error(`no file "${path}"`);
      return text;
    },
    readBase64: (path) => path,
    exists: (path) => path in files,
    absolute: (path) => path,
    home: () => "/",
    list: () => [],
  };
}

const compile = (files: Readonly<Record<string, string>>, inputs: Partial<CompileInputs> = {}) =>
  compileJob({ file: "jobs/web.hcl", text: files["web.hcl"] ?? "", files: folder(files), ...inputs });

const places = (files: Readonly<Record<string, string>>): string[] =>
  compile(files).diagnostics.map(({ file, line, column, summary, related }) => {
    const first = related?.[0];
    return `${file}:${line}:${column} ${summary}${first ? ` (${first.file}:${first.line})` : ""}`;
  });

const task = 'task "t" {\n driver = "process"\n config {\n command = "true"\n }\n}\n';

test("shared variables, locals and blocks come from other files, with arguments and paths of their own", () => {
  const { job, diagnostics } = compile({
    "web.hcl": `include "shared/names.hcl" {}
job "web" {
  group "g" {
    network {
      port "http" {}
    }
    include "shared/check.hcl" {
      port = "http"
      path = "/\${local.where}"
    }
    ${task}
  }
}
`,
    "shared/names.hcl": 'variable "team" {\n default = "a"\n}\nlocals {\n where = "health-${var.team}"\n}\n',
    "shared/check.hcl": `service {
  port = include.port
  include "../every.hcl" {}
  check {
    type = "http"
    path = include.path
    include "../every.hcl" {}
  }
}
`.replace('  include "../every.hcl" {}\n  check', "  check"),
    "every.hcl": 'interval = "10s"\ntimeout = "2s"\n',
  });
  expect(diagnostics).toEqual([]);
  expect(job?.groups[0]?.services[0]?.checks[0]).toMatchObject({ path: "/health-a", intervalMs: 10_000 });
});

test("what is wrong in an included file is told with its own place", () => {
  const web = (inside: string) => `job "web" {\n  ${inside}\n  ${task}}\n`;
  expect(places({ "web.hcl": web('include "a.hcl" {}'), "a.hcl": "priorty = 3\n" })).toEqual([
    'jobs/a.hcl:1:1 no attribute "priorty" in job',
  ]);
  expect(places({ "web.hcl": web('priority = 1\n  include "a.hcl" {}'), "a.hcl": "priority = 3\n" })).toEqual([
    'jobs/a.hcl:1:1 "priority" is written twice (jobs/web.hcl:2)',
  ]);
  expect(places({ "web.hcl": web('include "a.hcl" {}'), "a.hcl": "priority = include.level\n" })).toEqual([
    'jobs/a.hcl:1:20 the object has no "level"',
  ]);
  expect(places({ "web.hcl": web('include "none.hcl" {}') })).toEqual(['jobs/web.hcl:2:11 no file "none.hcl"']);
  expect(
    places({ "web.hcl": web('include "a.hcl" {}'), "a.hcl": 'periodic {\n cron = "x"\n}\ntype = "batch"\n' })[0],
  ).toContain("jobs/a.hcl:2:10");
});

test("files that include themselves, or each other without end, meet a named end", () => {
  expect(
    places({
      "web.hcl": 'include "a.hcl" {}\n',
      "a.hcl": 'include "b.hcl" {}\n',
      "b.hcl": 'include "./a.hcl" {}\n',
    })[0],
  ).toBe("jobs/b.hcl:1:9 files include each other in a circle: a.hcl -> b.hcl -> a.hcl");
  const chain = Object.fromEntries(
    Array.from({ length: 20 }, (_, at) => [`f${at}.hcl`, `include "f${at + 1}.hcl" {}\n`]),
  );
  expect(places({ "web.hcl": 'include "f0.hcl" {}\n', ...chain })[0]).toContain(
    "more than 10 files include one another",
  );
  // Ten files that each include the next ten times: ten thousand millions.
  const tree = Object.fromEntries(
    Array.from({ length: 9 }, (_, at) => [`f${at}.hcl`, `include "f${at + 1}.hcl" {}\n`.repeat(10)]),
  );
  expect(places({ "web.hcl": 'include "f0.hcl" {}\n', ...tree, "f9.hcl": "" })[0]).toContain("more than 1000 includes");
  expect(compileJob({ file: "x", text: 'include "a.hcl" {}\n' }).diagnostics[0]?.summary).toContain("not on a server");
});

test("env and meta of job and group reach every task, whose own win", () => {
  const text = `job "web" {
  env = { A = "job", B = "job", C = "job" }
  group "g" {
    env {
      B = "group"
      C = "group"
    }
    task "t" {
      driver = "process"
      env = { C = "task" }
      config {
        command = "true"
      }
    }
  }
}
`;
  expect(compile({ "web.hcl": text }).job?.groups[0]?.tasks[0]?.env).toEqual({ A: "job", B: "group", C: "task" });
});

test("a sensitive variable is named, and its value stands in no excerpt", () => {
  const text = `variable "key" {\n  type = list(string)\n  sensitive = true\n  default = []\n}\njob "web" {\n  ${task}}\n`;
  expect(compile({ "web.hcl": text }).sensitiveNames).toEqual(["key"]);
  const { diagnostics } = compile({ "web.hcl": text }, { variables: [{ name: "key", value: '["hunter2"' }] });
  expect(diagnostics).toHaveLength(1);
  expect(JSON.stringify(diagnostics)).not.toContain("hunter2");
});
