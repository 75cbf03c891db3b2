// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts show the language, where ${ } is meant.
import { expect, test } from "vitest";
import { canonicalJson } from "../job/canonical.ts";
import { decodeJob } from "../job/decode-job.ts";
import { compileJob } from "./compile.ts";

const plainTask = ['driver = "process"', 'config { command = "true" }'];

function compile(lines: readonly string[], settings = plainTask) {
  const body = [...settings, ...lines].join("\n");
  return compileJob({ file: "j.hcl", text: `job "j" {\ntask "t" {\n${body}\n}\n}\n` });
}

/** "line:column code summary; hint" of each remark. The task's own lines begin at 5. */
const remarks = (lines: readonly string[], settings?: string[]): string[] =>
  compile(lines, settings).diagnostics.map(
    ({ line, column, code, summary, hint }) => `${line}:${column} ${code} ${summary}${hint ? `; ${hint}` : ""}`,
  );

const secret = ['secret "db" {', 'provider = "file"', 'path = "db/password"', "}"];

test("a template has Nomad's defaults, and everything that is written reaches the job", () => {
  const { job, diagnostics } = compile([
    ...secret,
    'env { PASSWORD = "${secret.db.value}" }',
    "template {",
    'data = "{{ env `A` }} $${B} ${node.class}"',
    'destination = "local/a"',
    "}",
    "template {",
    'source = "local/a.tpl"',
    'destination = "${NOMAD_SECRETS_DIR}/b"',
    'change_mode = "script"',
    "change_script {",
    'command = "reload"',
    'args = ["x"]',
    "fail_on_error = true",
    "}",
    'splay = "0s"',
    'perms = "600"',
    "uid = 10",
    "gid = -1",
    'left_delimiter = "[["',
    "once = true",
    "error_on_missing_key = true",
    'wait { min = "2s" }',
    "}",
  ]);
  expect(diagnostics).toEqual([]);
  const task = job?.groups[0]?.tasks[0];
  expect(task).toMatchObject({
    env: { PASSWORD: "${secret.db.value}" },
    secrets: [{ name: "db", provider: "file", path: "db/password" }],
  });
  expect(task?.templates).toEqual([
    {
      text: "{{ env `A` }} ${B} ${node.class}",
      destination: "local/a",
      change: "restart",
      splayMs: 5_000,
      mode: 0o644,
    },
    {
      source: "local/a.tpl",
      destination: "${NOMAD_SECRETS_DIR}/b",
      change: "script",
      script: { command: "reload", args: ["x"], timeoutMs: 5_000, failsTask: true },
      once: true,
      splayMs: 0,
      mode: 0o600,
      uid: 10,
      delimiters: { left: "[[", right: "}}" },
      settle: { minMs: 2_000, maxMs: 8_000 },
      failsOnMissingKey: true,
    },
  ]);
  if (!job) throw new Error("no job");
  expect(decodeJob(canonicalJson(job))).toEqual(job);
});

test("what a template may not hold is told at its line of the job file, in heredocs of both kinds and in quotes", () => {
  const heredoc = ["template {", 'destination = "local/a"', "data = <<EOF", 'plain {{ env "A" }}'];
  expect(remarks([...heredoc, '  {{ with secret "kv/db" }}{{ end }}', "EOF", "}"])).toEqual([
    '9:11 job/template secret: Muster uses no Vault; write a secret block in the task, and {{ secretText "NAME" }}',
  ]);
  const indented = ["template {", 'destination = "local/a"', "data = <<-EOF", "    plain"];
  expect(remarks([...indented, '      {{ toUper "x" }}', "    EOF", "}"])).toEqual([
    '9:10 job/template no function "toUper"; did you mean toUpper?',
  ]);
  expect(remarks(["template {", 'destination = "local/a"', 'data = "{{ if 1 }}"', "}"])).toEqual([
    "7:9 job/template {{ if }} has no {{ end }}; add {{ end }}",
  ]);
});

test("templates that can't be are refused with what to do instead", () => {
  const wrong = (lines: string[], destination = "local/a", settings?: string[]): string =>
    remarks(["template {", `destination = "${destination}"`, ...lines, "}"], settings)
      .map((text) => text.replace(/^\S+ \S+ /, ""))
      .join();
  const data = 'data = "x"';
  expect(wrong([])).toBe("a template needs either data or source");
  expect(wrong([data, 'source = "y"'])).toBe("a template needs either data or source");
  expect(wrong([data], "../a")).toContain("leads out of the task's folder; write local/NAME");
  expect(wrong([data], "/etc/a")).toContain("is not below the task's folder; write local/NAME");
  expect(wrong([data], "/local/a")).toBe("");
  expect(wrong([data, 'perms = "rw"'])).toBe('"rw" is no mode of a file; write it as "0640"');
  expect(wrong([data, 'change_mode = "signal"', 'change_signal = "HOP"'])).toContain('no signal "HOP"');
  expect(wrong([data, 'change_mode = "signal"', "env = true"])).toContain("a signal gives a task no new environment");
  expect(wrong([data, 'change_mode = "script"'])).toContain("needs change_script");
  expect(wrong(['data = "{{ secretText `db` }} {{ secretText \\"db\\" }}"'])).toContain('the task has no secret "db"');
  expect(wrong(['data = "${secret.db.value}"'])).toContain("in a template ${ } means nothing");
  const docker = ['driver = "docker"', 'config { image = "a" }'];
  expect(wrong([data], "a", docker)).toContain('a task of driver "docker" does not see "a"');
  expect(wrong([data], "${NOMAD_TASK_DIR}/a", docker)).toBe("");
});

test("secrets stand in the environment and in templates, under names that are declared", () => {
  expect(remarks([...secret, 'env { A = "${secret.bd.value}" }'])[0]).toContain(
    'env A: the task has no secret "bd"; did you mean "db"?',
  );
  expect(remarks([...secret, ...secret])[0]).toContain('secret "db" is declared twice');
  const declared = (provider: string, path: string) => [
    'secret "db" {',
    `provider = "${provider}"`,
    `path = "${path}"`,
    "}",
  ];
  expect(remarks(declared("vault", "x"))[0]).toContain('no provider "vault" is known');
  expect(remarks(declared("file", "../x"))[0]).toContain("the path leads upwards");
  const seen = ['driver = "process"', "config {", 'command = "x"', 'args = ["${secret.db.value}"]', "}"];
  expect(remarks(secret, seen)[0]).toContain("a secret stands in its command, which everybody on the host can see");
});
