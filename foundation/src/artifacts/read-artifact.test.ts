import { expect, test } from "vitest";
import { checksumIn, readArtifact, sourceShown } from "./read-artifact.ts";

const read = (source: string, more: Partial<Parameters<typeof readArtifact>[0]> = {}) =>
  readArtifact({ source, mode: "", options: {}, headers: {}, ...more });

function wish(source: string, more: Parameters<typeof read>[1] = {}) {
  const found = read(source, more);
  if (!found.ok) throw new Error(`${found.field}: ${found.problem}`);
  return found.wish;
}

function problem(source: string, more: Parameters<typeof read>[1] = {}) {
  const found = read(source, more);
  return found.ok ? undefined : `${found.field}: ${found.problem}`;
}

const sha = "a".repeat(64);

test("an http source says where the file is, how it is packed and which part is wanted", () => {
  expect(wish(`https://example.com/app.tar.gz//bin/tool?checksum=sha256:${sha}&token=x`)).toEqual({
    from: {
      kind: "file",
      place: { by: "http", url: "https://example.com/app.tar.gz?token=x" },
      checksum: { kind: "sha256", hex: sha },
      packing: { holds: "tar", compression: "gzip" },
      sourceName: "app.tar.gz",
      fileName: "app.tar.gz",
    },
    subfolder: "bin/tool",
    mode: "any",
  });
  expect(wish("http://example.com/a.zip").from).toMatchObject({ packing: { holds: "zip" } });
  expect(wish("http://example.com/tool.gz").from).toMatchObject({ packing: { holds: "file" }, fileName: "tool" });
  expect(wish("http://example.com/a.zip?archive=false").from).toMatchObject({ packing: undefined, fileName: "a.zip" });
  expect(wish("http://example.com/get?id=7", { options: { archive: "tar.xz", filename: "x" } }).from).toMatchObject({
    place: { url: "http://example.com/get?id=7" },
    packing: { holds: "tar", compression: "xz" },
  });
  expect(wish("http://example.com").from).toMatchObject({ fileName: "index" });
});

test("options beside the source win over those of its query", () => {
  expect(
    wish("http://e.com/a?checksum=md5:00&filename=b", { options: { checksum: `sha256:${sha}` } }).from,
  ).toMatchObject({
    checksum: { kind: "sha256" },
    fileName: "b",
  });
});

test("a repository is named by git::, or by the places that people know", () => {
  expect(wish("git::https://example.com/r.git//docs?ref=v1&depth=1")).toEqual({
    from: { kind: "git", repository: "https://example.com/r.git", ref: "v1", depth: 1 },
    subfolder: "docs",
    mode: "any",
  });
  expect(wish("github.com/owner/name//inner/part?ref=main")).toMatchObject({
    from: { kind: "git", repository: "https://github.com/owner/name.git", ref: "main" },
    subfolder: "inner/part",
  });
  expect(wish("git::/srv/r").from).toMatchObject({ kind: "git", repository: "/srv/r" });
});

test("a file of the host is named by an absolute path", () => {
  expect(wish("/srv/a.tar")).toMatchObject({ from: { place: { by: "file", path: "/srv/a.tar" } }, subfolder: "" });
  expect(wish("file:///srv/a/").from).toMatchObject({ place: { by: "file", path: "/srv/a" } });
  expect(wish("/srv/a.zip//in").subfolder).toBe("in");
});

test.each([
  ["", /^source: must not be empty/],
  ["s3::https://s3.amazonaws.com/b/k", /^source: S3 is not available.*signs$/],
  ["git@github.com:o/r.git", /^source: agents have no keys for ssh/],
  ["git::ssh://git@github.com/o/r", /^source: agents have no keys for ssh/],
  ["relative/file", /^source: "relative\/file" is no http or https URL and no absolute path/],
  ["/srv/../etc/shadow", /^source: "\.\." is not allowed/],
  ["https://e.com/a.zip//../x", /^source: "\.\." leads out/],
  ["https://e.com/a.zip//x*", /^source: patterns/],
  ["https://e.com/a?checksum=sha256:12", /^options.checksum: a sha256 sum has 64/],
  ["https://e.com/a?checksum=crc:12", /^options.checksum: must be md5/],
  ["https://e.com/a?archive=rar", /^options.archive: "rar" is none of/],
  ["https://e.com/a?ref=main", /^options.ref: is of git/],
  ["git::https://e.com/a?checksum=md5:0", /^options.checksum: is not of git.*ref = the commit/],
  ["git::https://e.com/a?ref=--upload-pack=x", /^options.ref/],
  ["git::https://e.com/a?sshkey=abc", /^source: agents have no keys for ssh/],
  ["https://e.com/\u0007", /^source: holds a control character/],
  ["https://e.com/a?filename=..%2Fx", /^options.filename/],
])("%s is refused with what to do", (source, expected) => {
  expect(problem(source)).toMatch(expected);
});

test("what nobody knows is no option, and no header is smuggled in", () => {
  expect(problem("http://e.com/a", { options: { cheksum: "x" } })).toMatch(/^options.cheksum: is not known; known are/);
  expect(problem("http://e.com/a", { headers: { "X-A": "b\r\nHost: c" } })).toMatch(/^headers: X-A/);
  expect(problem("http://e.com/a", { headers: { "X A": "b" } })).toMatch(/^headers: "X A"/);
  expect(problem("http://e.com/a", { mode: "tree" })).toMatch(/^mode/);
});

test("a sum is found in what sha256sum, BSD's sha256, and nothing else have written", () => {
  const other = "b".repeat(64);
  expect(checksumIn(`${other}  b.zip\n${sha} *a.zip\n`, "a.zip")).toEqual({ kind: "sha256", hex: sha });
  expect(checksumIn(`SHA256 (a.zip) = ${sha}`, "a.zip")).toEqual({ kind: "sha256", hex: sha });
  expect(checksumIn(`${sha}\n`, "a.zip")).toEqual({ kind: "sha256", hex: sha });
  expect(checksumIn(`${sha}  other.zip`, "a.zip")).toBeUndefined();
});

test("what may be secret in a source is not shown", () => {
  expect(sourceShown("https://user:word@e.com/a.zip?token=s")).toBe("https://e.com/a.zip");
  expect(sourceShown("git::https://tok@e.com/r//d?ref=x")).toBe("git::https://e.com/r//d");
});
