import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { muster, program } from "./dev-cluster.ts";

const folder = mkdtempSync(join(tmpdir(), "muster-cli-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Gives a command a terminal, as a person has it. */
const terminal = "/usr/bin/script";
const terminalMissing = existsSync(terminal) ? "" : ` (skipped: ${terminal} is not installed)`;

const here = (...args: string[]) => muster(args, { MUSTER_ADDR: "127.0.0.1:1" }, folder);

/** What every test may read and none may change. */
beforeAll(async () => {
  await here("job", "init", "web");
});

test("case 31: a master that is not there is told within five seconds, with what to do, and exit 69", async () => {
  const beganMs = Date.now();
  const { code, stderr } = await here("job", "list");
  expect(Date.now() - beganMs).toBeLessThan(5_000);
  expect(code).toBe(69);
  expect(stderr).toMatch(
    /^error: no leader at 127\.0\.0\.1:1 \(connection refused, 3 tries, \d+ s\)\. Is a master running\? try: muster dev, or set MUSTER_ADDR\n$/,
  );
});

test("with --json an error comes in the envelope", async () => {
  const { code, stdout } = await here("job", "status", "web", "--json");
  expect(code).toBe(69);
  expect(JSON.parse(stdout)).toMatchObject({
    schema: "muster.job.status/1",
    data: null,
    error: { kind: "unavailable" },
  });
});

test.each([
  [["job", "statsu"], "Did you mean status?"],
  [["jbo", "status"], "Did you mean job?"],
  [["job", "run", "--detatch", "x.hcl"], "Did you mean --detach?"],
  [["job", "run"], "missing required argument 'file'"],
  [["dev", "--port-offset", "ten"], "--port-offset needs a whole number"],
  [["dns", "--type", "X", "web"], 'no record type "X"'],
  [["daemon", "master", "--log-level", "loud"], "needs one of debug, info, warn, error"],
])("%j is wrong usage: %s", async (args, text) => {
  const { code, stderr } = await here(...args);
  expect(stderr).toContain(text);
  expect(code).toBe(64);
});

test("init writes a job that is valid, formatted and refuses to be overwritten", async () => {
  expect(await here("job", "init", "shop")).toMatchObject({ code: 0, stderr: "next: muster job run shop.hcl\n" });
  expect(await here("job", "init", "shop")).toMatchObject({ code: 1 });
  expect(await here("job", "fmt", "--check", "shop.hcl")).toMatchObject({ code: 0 });
  const { code, stdout } = await here("job", "validate", "shop.hcl", "--json");
  expect({ code, data: JSON.parse(stdout).data }).toEqual({
    code: 0,
    data: [{ file: "shop.hcl", valid: true, diagnostics: [] }],
  });
});

test("case 7: an error in a jobspec has its place, its line and a suggestion; nothing is sent", async () => {
  writeFileSync(join(folder, "bad.hcl"), readFileSync(join(folder, "web.hcl"), "utf8").replace("count =", "cout ="));
  const { code, stderr } = await here("job", "run", "bad.hcl");
  expect(code).toBe(1);
  expect(stderr).toMatch(/^bad\.hcl:6:5: error: .*"cout"/);
  expect(stderr).toMatch(/\n *6 \| +cout = 3\n *\| +\^~* did you mean "count"\?\n/);
  expect(stderr).toContain("nothing was sent");
  const { stdout } = await here("job", "validate", "bad.hcl", "web.hcl", "--json");
  expect(JSON.parse(stdout).data).toMatchObject([
    { file: "bad.hcl", valid: false, diagnostics: [{ severity: "error", line: 6, column: 5 }] },
    { file: "web.hcl", valid: true },
  ]);
  writeFileSync(join(folder, "worse.hcl"), 'job "x" {');
  const worse = await here("job", "validate", "worse.hcl", "--json");
  expect(JSON.parse(worse.stdout).data[0].diagnostics[0].code).toMatch(/^syntax\//);
});

test("case 8: a missing quote has its place and its line; nothing is sent", async () => {
  const text = readFileSync(join(folder, "web.hcl"), "utf8");
  writeFileSync(join(folder, "quote.hcl"), text.replace('type = "service"', 'type = "service'));
  const { code, stderr } = await here("job", "run", "quote.hcl");
  expect(code).toBe(1);
  const line = text.split("\n").findIndex((each) => each.includes("type =")) + 1;
  expect(stderr).toMatch(new RegExp(`^quote\\.hcl:${line}:\\d+: error: `));
  expect(stderr).toMatch(new RegExp(`\n *${line} \\| +type = "service\n *\\| +\\^`));
  expect(stderr).toContain("quote");
  expect(stderr).toContain("nothing was sent");
});

test("case 9: fmt twice is fmt once", async () => {
  const file = join(folder, "twice.hcl");
  const messy =
    'job   "a"{\ntype="batch"// kind\n group "g" {\n  meta={ a=1\n b : 2 }\n task "t"{ driver = "process" }\n}\n}\n';
  for (const text of [messy, readFileSync(join(folder, "web.hcl"), "utf8").replaceAll(/^ +/gm, "\t")]) {
    writeFileSync(file, text);
    expect(await here("job", "fmt", "twice.hcl")).toMatchObject({ code: 0 });
    const once = readFileSync(file, "utf8");
    expect(once).not.toBe(text);
    expect(await here("job", "fmt", "--check", "twice.hcl")).toMatchObject({ code: 0, stdout: "" });
    expect(await here("job", "fmt", "twice.hcl")).toMatchObject({ code: 0 });
    expect(readFileSync(file, "utf8")).toBe(once);
  }
});

test("fmt changes only what --check told of", async () => {
  const file = join(folder, "ugly.hcl");
  writeFileSync(file, readFileSync(join(folder, "web.hcl"), "utf8").replace("    count = 3", "  count=3"));
  expect(await here("job", "fmt", "--check", "ugly.hcl")).toMatchObject({ code: 1, stdout: "would change ugly.hcl\n" });
  expect(await here("job", "fmt", "ugly.hcl")).toMatchObject({ code: 0 });
  expect(readFileSync(file, "utf8")).toBe(readFileSync(join(folder, "web.hcl"), "utf8"));
});

test("case 24: output for pipes has no colour and no redrawing", async () => {
  const { stdout, stderr } = await here("job", "validate", "web.hcl");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escapes are what this looks for
  expect(stdout + stderr).not.toMatch(/[\u001b\r]/);
});

test.skipIf(terminalMissing !== "")(
  `case 25: on a terminal there is colour, and with NO_COLOR, TERM=dumb or --no-color there is none${terminalMissing}`,
  () => {
    const shown = (environment: NodeJS.ProcessEnv, ...args: string[]): string => {
      const command = [process.execPath, program, "job", "init", "web", ...args].join(" ");
      const env = { PATH: process.env["PATH"], TERM: "xterm", ...environment };
      return execFileSync(terminal, ["-qc", `${command}; true`, "/dev/null"], { cwd: folder, env, encoding: "utf8" });
    };
    const colour = "\u001b[";
    expect(shown({})).toContain(colour);
    for (const plain of [shown({ NO_COLOR: "1" }), shown({ TERM: "dumb" }), shown({}, "--no-color")]) {
      expect(plain).toContain("web.hcl is there already");
      expect(plain).not.toContain(colour);
    }
  },
);
