// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts show the language, where ${ } is meant.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileJob } from "@muster/jobspecs";
import { afterAll, expect, test } from "vitest";
import { fileBytesMax, folderFiles, globExpression } from "./folder-files.ts";

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

const root = mkdtempSync(join(tmpdir(), "muster-folder-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
mkdirSync(join(root, "jobs", "sub"), { recursive: true });
writeFileSync(join(root, "secret"), "outside");
writeFileSync(join(root, "jobs", "a.txt"), "inside");
writeFileSync(join(root, "jobs", "sub", "b.txt"), "deeper");
writeFileSync(join(root, "jobs", "page.tpl"), "%{ for name in names ~}\nhello ${name}\n%{ endfor ~}\n");
writeFileSync(join(root, "jobs", "bytes"), Buffer.from([0xff, 0x00]));
writeFileSync(join(root, "jobs", "large"), "x".repeat(fileBytesMax + 1));
symlinkSync(join(root, "secret"), join(root, "jobs", "link"));

/** The value of an expression in a jobspec of the folder, else what was said about it. */
function valueIn(expression: string): string | undefined {
  const text = `job "j" {
  meta = { x = ${expression} }
  task "t" {
    driver = "process"
    config { command = "true" }
  }
}
`;
  const { job, diagnostics } = compileJob({ file: "j.hcl", text, files: folderFiles(join(root, "jobs")) });
  return job?.meta["x"] ?? diagnostics[0]?.summary;
}

test.each([
  ['file("a.txt")', "inside"],
  ['file("sub/../a.txt")', "inside"],
  ['filebase64("bytes")', "/wA="],
  ['join(",", fileset(".", "**/*.txt"))', "a.txt,sub/b.txt"],
  ['join(",", fileset("sub", "*"))', "b.txt"],
  ['fileexists("none")', "false"],
  ['templatefile("page.tpl", { names = ["a", "b"] })', "hello a\nhello b\n"],
])("%s reads what is in the jobspec's folder", (expression, wanted) => {
  expect(valueIn(expression)).toBe(wanted);
});

test.each([
  ['file("../secret")', "is outside of"],
  ['file("/etc/passwd")', "is outside of"],
  ['file("link")', "is outside of"],
  ['fileexists("/etc/passwd")', "is outside of"],
  ['fileset("..", "*")', "is outside of"],
  ['templatefile("../secret", {})', "is outside of"],
  ['file("none")', 'no file "none"'],
  ['file("sub")', "is no file"],
  ['file("bytes")', "no text in UTF-8"],
  ['file("large")', "is larger than"],
  ['templatefile("page.tpl", {})', 'no name "names" is known here'],
])("%s is refused: %s", (expression, why) => {
  expect(valueIn(expression)).toContain(why);
});
