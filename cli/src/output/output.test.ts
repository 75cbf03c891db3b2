import { expect, test } from "vitest";
import { CliError, toCliError, usageError } from "../cli-error.ts";
import { exitCode } from "../exit-codes.ts";
import { Output } from "./output.ts";
import { stateText } from "./states.ts";
import { styleFor } from "./style.ts";
import { table } from "./table.ts";
import { age, rfc3339, timeText } from "./times.ts";

function capture(json: boolean) {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const out = new Output(
    { schema: "muster.job.status/1", json, colour: true, debug: false, environment: {} },
    { write: (text: string) => stdout.push(text) },
    { write: (text: string) => stderr.push(text) },
  );
  return { out, stdout, stderr };
}

test("with --json the data comes in one envelope, with the warnings", () => {
  const { out, stdout, stderr } = capture(true);
  out.warn("host network");
  out.line("for people");
  out.data({ name: "web" });
  expect(stdout.map((text) => JSON.parse(text))).toEqual([
    { schema: "muster.job.status/1", data: { name: "web" }, warnings: ["host network"] },
  ]);
  expect(stderr).toEqual([]);
});

test("with --json an error comes in the same envelope on standard output", () => {
  const { out, stdout } = capture(true);
  out.error(usageError("no file", "muster job run web.hcl"));
  expect(JSON.parse(stdout.join(""))).toEqual({
    schema: "muster.job.status/1",
    data: null,
    warnings: [],
    error: { kind: "usage", message: "no file", exit: 64, hint: "muster job run web.hcl" },
  });
});

test("without --json data goes to standard output and talk to standard error", () => {
  const { out, stdout, stderr } = capture(false);
  out.data({ name: "web" });
  out.line("web");
  out.next("muster job status web");
  out.error(new CliError(1, "no job web", { hint: "muster job list" }));
  expect(stdout).toEqual(["web\n"]);
  expect(stderr).toEqual(["next: muster job status web\n", "error: no job web. try: muster job list\n"]);
});

test.each([
  [{ isTTY: true }, {}, true, true],
  [{ isTTY: false }, {}, true, false],
  [{ isTTY: true }, { NO_COLOR: "1" }, true, false],
  [{ isTTY: true }, { TERM: "dumb" }, true, false],
  [{ isTTY: true }, {}, false, false],
])("colour on %j with %j, wanted %s: %s", (stream, environment, wanted, enabled) => {
  expect(styleFor(stream, environment, wanted).enabled).toBe(enabled);
});

test("a state has its glyph and its word, with and without colour", () => {
  expect(stateText("running", styleFor({}, {}, true))).toBe("● running");
  expect(stateText("failed", styleFor({ isTTY: true }, {}, true))).toBe("\u001b[31m✗ failed\u001b[0m");
});

test("columns are as wide as what is seen of their cells", () => {
  const red = styleFor({ isTTY: true }, {}, true).paint("red", "no");
  expect(
    table(
      ["NAME", "OK"],
      [
        ["a", red],
        ["longer", "yes"],
      ],
    ),
  ).toBe(`NAME    OK\na       ${red}\nlonger  yes`);
});

test("times are relative for people and RFC 3339 for programs", () => {
  expect(age(1_000, 181_000)).toBe("3m");
  expect(timeText(0, 5_000, true)).toBe("-");
  expect(timeText(65_000, 5_000, true)).toBe("in 1m");
  expect(rfc3339(1_700_000_000_000)).toBe("2023-11-14T22:13:20.000Z");
});

test.each([
  ["forbidden", exitCode.notAllowed],
  ["unavailable", exitCode.unreachable],
  ["too-late", exitCode.timeout],
  ["not-found", exitCode.failed],
])("an error of kind %s ends with %s", (kind, code) => {
  const error = Object.assign(new Error("text"), { name: "MusterError", kind, field: undefined });
  expect(toCliError(error)).toMatchObject({ code, kind, message: "text" });
});

test("an error of the file system is told in words", () => {
  const error = Object.assign(new Error("ENOENT: x"), { code: "ENOENT", syscall: "open", path: "web.hcl" });
  expect(toCliError(error).message).toBe("web.hcl: no such file or folder");
});
