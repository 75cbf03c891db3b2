// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts show the language, where ${ } is meant.
import { expect, test } from "vitest";
import { canonicalJson } from "../job/canonical.ts";
import { decodeJob } from "../job/decode-job.ts";
import { comparableJobs, maskedDefinition } from "../job/sensitive.ts";
import { compileJob } from "./compile.ts";

const head = `
variable "pw" {
  sensitive = true
  default   = "hunter2"
}
variable "creds" {
  sensitive = true
  type      = object({ user = string, key = string })
  default   = { user = "ann", key = "k3y" }
}
variable "plain" { default = "plain" }
locals {
  url  = "db://\${var.creds.user}:\${var.creds.key}@host"
  open = "open-\${var.plain}"
}
`;

function compile(task: string, files: Readonly<Record<string, string>> = {}) {
  const text = `${head}job "j" {\n task "t" {\n driver = "process"\n config {\n command = "x"\n args = ["-p", "--key=\${base64encode(var.pw)}"]\n }\n${task}\n }\n}\n`;
  const refuse = (): never => {
    throw new Error("no such file");
  };
  const read = (path: string): string => files[path] ?? refuse();
  const reader = {
    read,
    readBase64: refuse,
    exists: () => false,
    absolute: (p: string) => p,
    home: refuse,
    list: () => [],
  };
  return compileJob({ file: "j.hcl", text, files: reader });
}

const body = `
 env {
   PASSWORD = var.pw
   URL      = local.url
   OPEN     = local.open
   BOTH     = "\${var.plain} \${upper(var.pw)}"
   FIXED    = "fixed"
 }
 dynamic "template" {
   for_each = [var.creds]
   content {
     data        = "key=\${template.value.key} $\${KEPT}"
     destination = "local/a"
   }
 }
 template {
   data        = "nothing"
   destination = "local/b"
 }`;

test("what is made of a sensitive variable is hidden in the definition, whatever way it went, and nothing else", () => {
  const { job, diagnostics } = compile(body);
  expect(diagnostics).toEqual([]);
  if (!job) throw new Error("no job");
  expect([...(job.sensitive ?? [])].sort()).toEqual([
    "groups/0/tasks/0/config/args/0",
    "groups/0/tasks/0/config/args/1",
    "groups/0/tasks/0/env/BOTH",
    "groups/0/tasks/0/env/PASSWORD",
    "groups/0/tasks/0/env/URL",
    "groups/0/tasks/0/templates/0/text",
  ]);
  const definition = canonicalJson(job);
  expect(decodeJob(definition)).toEqual(job);
  expect(definition).toContain("hunter2");
  const shown = maskedDefinition(definition);
  for (const secret of ["hunter2", "HUNTER2", "k3y", "ann", Buffer.from("hunter2").toString("base64")])
    expect(shown).not.toContain(secret);
  const task = (JSON.parse(shown) as typeof job).groups[0]?.tasks[0];
  expect(task?.env).toEqual({
    PASSWORD: "(sensitive)",
    URL: "(sensitive)",
    OPEN: "open-plain",
    BOTH: "(sensitive)",
    FIXED: "fixed",
  });
  expect(task?.templates?.map(({ text }) => text)).toEqual(["(sensitive)", "nothing"]);
});

test("a job that hides nothing is shown as it is", () => {
  const { job } = compileJob({
    file: "j.hcl",
    text: 'job "j" {\n task "t" {\n driver = "process"\n config { command = "x" }\n }\n}\n',
  });
  if (!job) throw new Error("no job");
  expect(job.sensitive).toBeUndefined();
  expect(maskedDefinition(canonicalJson(job))).toBe(canonicalJson(job));
});

test("the file is kept without the defaults of sensitive variables", () => {
  const { shownSource } = compile(body);
  expect(shownSource).not.toMatch(/hunter2|k3y|"ann"/);
  expect(shownSource).toContain('default   = "(sensitive)"');
  expect(shownSource).toContain('variable "plain" { default = "plain" }');
});

test("values reach included files and are hidden there, too", () => {
  const files = { "env.hcl": "env { FROM = include.secret }" };
  const { job, diagnostics } = compile('include "env.hcl" { secret = var.pw }', files);
  expect(diagnostics).toEqual([]);
  expect(job?.sensitive).toContain("groups/0/tasks/0/env/FROM");
});

test("a value that can't be hidden is warned of at its place", () => {
  const { diagnostics } = compile("user = var.pw\nkill_timeout = 10");
  expect(diagnostics.map(({ code, severity, summary }) => `${severity} ${code} ${summary}`)).toEqual([
    'warning job/sensitive-shown "user" holds a sensitive value, and is shown',
  ]);
});

test("a plan shows that a hidden value is another, and neither of the two", () => {
  const { job } = compile("env { A = var.pw }");
  if (!job) throw new Error("no job");
  const text = canonicalJson(job).replaceAll('"A":"hunter2"', '"A":"other"');
  const [before, after] = comparableJobs(job, decodeJob(text));
  expect(before.groups[0]?.tasks[0]?.env).toEqual({ A: "(sensitive)" });
  expect(after.groups[0]?.tasks[0]?.env).toEqual({ A: "(sensitive, another value)" });
  expect(comparableJobs(job, job)[1]).toEqual(comparableJobs(job, job)[0]);
});

test("places that would hide nothing are refused", () => {
  const { job } = compile("");
  for (const place of ["id", "groups/0/name", "groups/0/tasks/0/env/NONE", "__proto__/x", ""])
    expect(() => decodeJob(JSON.stringify({ ...job, sensitive: [place] }))).toThrow(
      "leads to no text that can be hidden",
    );
});
