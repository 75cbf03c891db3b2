import { nameUnpacked, type Packing, packingOfName, packings } from "./archives.ts";

/** What is to be fetched for a task, as a job says it, every reference filled in. */
export interface ArtifactText {
  readonly source: string;
  /** "any", "file" or "dir"; empty: any. */
  readonly mode: string;
  readonly options: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
}

export type ChecksumKind = "md5" | "sha1" | "sha256" | "sha512";

/** What the fetched bytes must add up to: a known sum, or one that stands in a file of its own. */
export type Checksum =
  | { readonly kind: ChecksumKind; readonly hex: string }
  | { readonly kind: "file"; readonly place: FilePlace };

/** One file, by http(s) or on the agent's disk. */
export type FilePlace = { readonly by: "http"; readonly url: string } | { readonly by: "file"; readonly path: string };

export interface FetchedFile {
  readonly kind: "file";
  readonly place: FilePlace;
  readonly checksum: Checksum | undefined;
  /** Undefined: it is left as it is. */
  readonly packing: Packing | undefined;
  /** What its place calls it. */
  readonly sourceName: string;
  /** What it is called where it lies in a folder; never empty. */
  readonly fileName: string;
}

export interface FetchedRepository {
  readonly kind: "git";
  /** An http(s) URL, or an absolute path. */
  readonly repository: string;
  /** Branch, tag or commit; empty: what the repository shows first. */
  readonly ref: string;
  /** Commits of history; 0: all. */
  readonly depth: number;
}

export interface ArtifactWish {
  readonly from: FetchedFile | FetchedRepository;
  /** The part of it that is wanted, by a relative path; empty: all. */
  readonly subfolder: string;
  readonly mode: "any" | "file" | "dir";
}

export interface ArtifactProblem {
  /** "source", "mode", "options.checksum" and so on. */
  readonly field: string;
  /** What is wrong, and what to do. */
  readonly problem: string;
}

export type ArtifactRead =
  | { readonly ok: true; readonly wish: ArtifactWish }
  | ({ readonly ok: false } & ArtifactProblem);

export const artifactModes = ["any", "file", "dir"] as const;
/** Characters of a source. */
export const sourceLengthMax = 4_096;
/** Options that are known, as a map of `options` or in the source's query. */
export const artifactOptions = ["checksum", "archive", "filename", "ref", "depth"] as const;

const digits: Readonly<Record<ChecksumKind, number>> = { md5: 32, sha1: 40, sha256: 64, sha512: 128 };
/** Commits of history that `depth` may ask for. */
const depthMax = 1_000_000;

/** Ways of other systems, each with what to do instead. */
const elsewhere: Readonly<Record<string, string>> = {
  s3: "S3 is not available in this release; use an https URL that the bucket signs",
  gcs: "Google Cloud Storage is not available in this release; use an https URL that the bucket signs",
  hg: "Mercurial is not available in this release; use an archive by https",
  ssh: "agents have no keys for ssh; use an https URL, with a token in it if need be",
  sftp: "agents have no keys for sftp; use an https URL",
  ftp: "ftp is not available; use an https URL",
  smb: "smb is not available; use an https URL",
  oci: "registries hold no artifacts here; use driver oci for images",
};

class Unreadable extends Error {
  readonly field: string;

  constructor(field: string, problem: string) {
    super(problem);
    this.field = field;
  }
}

/**
 * Understands where an artifact comes from and what becomes of it, in go-getter's notation: `https://…`, `/path`,
 * `git::https://…`, `github.com/owner/name`, with `//subfolder` and the options in the query or beside it. Pure.
 */
export function readArtifact(text: ArtifactText): ArtifactRead {
  try {
    return { ok: true, wish: understand(text) };
  } catch (error) {
    if (error instanceof Unreadable) return { ok: false, field: error.field, problem: error.message };
    throw error;
  }
}

function understand({ source, mode, options, headers }: ArtifactText): ArtifactWish {
  if (source === "") throw new Unreadable("source", "must not be empty");
  if (source.length > sourceLengthMax) throw new Unreadable("source", `more than ${sourceLengthMax} characters`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly those are refused
  if (/[\x00-\x1f\x7f]/.test(source)) throw new Unreadable("source", "holds a control character");
  if (mode !== "" && !artifactModes.some((known) => known === mode))
    throw new Unreadable("mode", `"${mode}" is none of any, file and dir`);
  refuseHeaders(headers);
  const split = splitSource(source);
  const asked = { ...split.options, ...knownOptions(options) };
  const common = { subfolder: split.subfolder, mode: (mode || "any") as ArtifactWish["mode"] };
  if (split.isGit) {
    if (common.mode === "file") throw new Unreadable("mode", "a repository is a folder; use dir or any");
    if (Object.keys(headers).length > 0) throw new Unreadable("headers", "are of http sources; git is sent none");
    return { ...common, from: repository(split.rest, asked) };
  }
  return { ...common, from: fetchedFile(split.rest, asked, common.mode) };
}

function refuseHeaders(headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name))
      throw new Unreadable("headers", `"${name}" is no name of a header`);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly those are refused
    if (/[\x00-\x08\x0a-\x1f\x7f]/.test(value)) throw new Unreadable("headers", `${name} holds a control character`);
  }
}

function knownOptions(options: Readonly<Record<string, string>>): Record<string, string> {
  for (const name of Object.keys(options)) {
    if (name === "sshkey") throw new Unreadable("options.sshkey", elsewhere["ssh"] ?? "");
    if (!artifactOptions.some((known) => known === name))
      throw new Unreadable(
        `options.${name}`,
        `is not known; known are ${artifactOptions.join(", ")}. What a server is to be asked stands in the source's query`,
      );
  }
  return { ...options };
}

interface SplitSource {
  readonly isGit: boolean;
  /** A URL or a path, without subfolder and without known options. */
  readonly rest: string;
  readonly subfolder: string;
  readonly options: Record<string, string>;
}

function splitSource(source: string): SplitSource {
  const forced = /^([A-Za-z0-9]+)::(.*)$/s.exec(source);
  const way = forced?.[1]?.toLowerCase();
  let rest = forced?.[2] ?? source;
  if (way !== undefined && !["git", "http", "https", "file"].includes(way))
    throw new Unreadable("source", elsewhere[way] ?? `"${way}::" is not known; use git::, or an http or https URL`);
  let isGit = way === "git";
  const hosted = /^(github\.com|gitlab\.com|bitbucket\.org)\/([^/?]+)\/([^/?]+)(\/[^?]*)?(\?.*)?$/.exec(rest);
  if (hosted) {
    const [, host, owner, name = "", inside = "", query = ""] = hosted;
    // "name//folder" and "name/folder" mean the same there.
    const folder = inside.replace(/^\/+/, "");
    rest = `https://${host}/${owner}/${name.replace(/\.git$/, "")}.git${folder === "" ? "" : `//${folder}`}${query}`;
    isGit = true;
  }
  if (/^[^/]+@[^/]+:/.test(rest)) throw new Unreadable("source", elsewhere["ssh"] ?? "");
  const { options, text } = withoutOptions(rest);
  const { whole, subfolder } = withoutSubfolder(text);
  return { isGit, rest: whole, subfolder, options };
}

/** The options out of a query; what else is in it stays. */
function withoutOptions(text: string): { readonly options: Record<string, string>; readonly text: string } {
  const mark = text.indexOf("?");
  if (mark < 0) return { options: {}, text };
  const options: Record<string, string> = {};
  const others: string[] = [];
  for (const pair of text.slice(mark + 1).split("&")) {
    const [name = "", value = ""] = pair.split(/=(.*)/s);
    if (name === "sshkey") throw new Unreadable("source", elsewhere["ssh"] ?? "");
    if (!artifactOptions.some((known) => known === name)) others.push(pair);
    else options[name] = decoded(value);
  }
  const query = others.filter((pair) => pair !== "").join("&");
  return { options, text: `${text.slice(0, mark)}${query === "" ? "" : `?${query}`}` };
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value.replaceAll("+", "%20"));
  } catch {
    throw new Unreadable("source", `"${value}" in its query is not well encoded`);
  }
}

function withoutSubfolder(text: string): { readonly whole: string; readonly subfolder: string } {
  const mark = text.indexOf("?");
  const path = mark < 0 ? text : text.slice(0, mark);
  const query = mark < 0 ? "" : text.slice(mark);
  const from = path.indexOf("://");
  const at = path.indexOf("//", from < 0 ? 1 : from + 3);
  if (at < 0) return { whole: text, subfolder: "" };
  const parts = path
    .slice(at + 2)
    .split("/")
    .filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw new Unreadable("source", '".." leads out of what is fetched');
  if (parts.some((part) => /[*?[\]]/.test(part)))
    throw new Unreadable("source", "patterns in the folder after // are not available; name the folder");
  return { whole: `${path.slice(0, at)}${query}`, subfolder: parts.join("/") };
}

function repository(text: string, options: Readonly<Record<string, string>>): FetchedRepository {
  for (const name of ["checksum", "archive", "filename"])
    if (options[name] !== undefined)
      throw new Unreadable(`options.${name}`, "is not of git; to pin what is fetched, say ref = the commit");
  const place = filePlace(text);
  const { ref = "", depth = "" } = options;
  if (!/^[A-Za-z0-9._/@+-]{0,255}$/.test(ref) || ref.startsWith("-") || ref.includes(".."))
    throw new Unreadable("options.ref", `"${ref}" is no branch, tag or commit`);
  if (depth !== "" && !(/^[0-9]{1,7}$/.test(depth) && Number(depth) <= depthMax))
    throw new Unreadable("options.depth", `"${depth}" is no number of commits from 0 to ${depthMax}`);
  const where = place.by === "http" ? place.url : place.path;
  return { kind: "git", repository: where, ref, depth: Number(depth) };
}

function fetchedFile(text: string, options: Readonly<Record<string, string>>, mode: ArtifactWish["mode"]): FetchedFile {
  for (const name of ["ref", "depth"])
    if (options[name] !== undefined)
      throw new Unreadable(`options.${name}`, "is of git; write git:: before the source");
  const place = filePlace(text);
  const path = place.by === "http" ? new URL(place.url).pathname : place.path;
  const sourceName = lastName(path);
  const named = options["filename"] ?? sourceName;
  if (options["filename"] !== undefined && (/[/\0]/.test(named) || ["", ".", ".."].includes(named)))
    throw new Unreadable("options.filename", `"${named}" is no name of a file`);
  const packing = packingOf(options["archive"], sourceName);
  const fileName = packing?.holds === "file" && options["filename"] === undefined ? nameUnpacked(named) : named;
  if (mode === "dir" && packing?.holds === "file")
    throw new Unreadable("mode", "one packed file is no folder; use file or any");
  const checksum = checksumOf(options["checksum"]);
  return { kind: "file", place, checksum, packing, sourceName, fileName: fileName || "index" };
}

function lastName(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  try {
    const plain = decodeURIComponent(name);
    return /[/\0]/.test(plain) || plain === "." || plain === ".." ? name : plain;
  } catch {
    return name;
  }
}

function packingOf(archive: string | undefined, name: string): Packing | undefined {
  if (archive === undefined) return packingOfName(name);
  if (archive === "" || ["false", "0", "no"].includes(archive.toLowerCase())) return undefined;
  if (["true", "1", "yes"].includes(archive.toLowerCase())) {
    const found = packingOfName(name);
    if (found) return found;
    throw new Unreadable("options.archive", `the name does not say what it is; use one of ${packingNames()}`);
  }
  const packing = Object.hasOwn(packings, archive) ? packings[archive] : undefined;
  if (packing) return packing;
  throw new Unreadable("options.archive", `"${archive}" is none of ${packingNames()}, false`);
}

function packingNames(): string {
  return Object.keys(packings).join(", ");
}

function filePlace(text: string): FilePlace {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined || scheme === "file") {
    const path = scheme === "file" ? text.replace(/^file:\/\/(localhost)?/i, "") : text;
    if (!path.startsWith("/"))
      throw new Unreadable("source", `"${path}" is no http or https URL and no absolute path of the agent's disk`);
    if (path.split("/").some((part) => part === "..")) throw new Unreadable("source", '".." is not allowed in a path');
    return { by: "file", path: path.length > 1 ? path.replace(/\/+$/, "") : path };
  }
  if (scheme !== "http" && scheme !== "https")
    throw new Unreadable("source", elsewhere[scheme] ?? `"${scheme}://" is not known; use http or https`);
  try {
    return { by: "http", url: new URL(text).href };
  } catch {
    throw new Unreadable("source", "is no URL");
  }
}

function checksumOf(text: string | undefined): Checksum | undefined {
  if (text === undefined || text === "") return undefined;
  const [, prefix, value = text] = /^([a-z0-9]+):(.*)$/s.exec(text) ?? [];
  if (prefix === "file") {
    try {
      return { kind: "file", place: filePlace(value) };
    } catch (error) {
      throw new Unreadable("options.checksum", (error as Error).message);
    }
  }
  const kinds = Object.keys(digits) as ChecksumKind[];
  const kind = kinds.find((one) => (prefix === undefined ? digits[one] === value.length : one === prefix));
  if (!kind) throw new Unreadable("options.checksum", `must be md5:, sha1:, sha256:, sha512: or file: and the sum`);
  if (value.length !== digits[kind] || !/^[0-9a-f]+$/i.test(value))
    throw new Unreadable("options.checksum", `a ${kind} sum has ${digits[kind]} hexadecimal digits`);
  return { kind, hex: value.toLowerCase() };
}

/** The sum of a file of that name in a file of sums, "sum  name" or "KIND (name) = sum" in a line, or one sum alone. */
export function checksumIn(text: string, fileName: string): Extract<Checksum, { readonly hex: string }> | undefined {
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  for (const line of lines) {
    const [, sum, name] = /^([0-9a-fA-F]{32,128}) [ *]?(?:\.\/)?(.+)$/.exec(line) ?? [];
    const [, bsdName, bsdSum] = /^[A-Za-z0-9]+ \((.+)\) = ([0-9a-fA-F]{32,128})$/.exec(line) ?? [];
    if (sum !== undefined && lastName(name?.trim() ?? "") === fileName) return bySize(sum);
    if (bsdSum !== undefined && lastName(bsdName ?? "") === fileName) return bySize(bsdSum);
  }
  const [only = ""] = lines;
  return lines.length === 1 && /^[0-9a-fA-F]{32,128}$/.test(only) ? bySize(only) : undefined;
}

function bySize(hex: string): Extract<Checksum, { readonly hex: string }> | undefined {
  const kind = (Object.keys(digits) as ChecksumKind[]).find((one) => digits[one] === hex.length);
  return kind && { kind, hex: hex.toLowerCase() };
}

/** A source as people and logs may see it: without names, passwords, and without its query, which may hold tokens. */
export function sourceShown(source: string): string {
  return source.replace(/\?.*$/s, "").replace(/(:\/\/)[^/@]*@/, "$1");
}
