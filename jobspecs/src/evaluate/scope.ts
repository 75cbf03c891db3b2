import type { Span } from "../diagnostics/diagnostic.ts";
import type { Remark, Report, Source } from "../syntax/source.ts";
import type { Block, Body } from "../syntax/tree.ts";
import type { Taint } from "./taint.ts";
import type { Value } from "./value.ts";

/** What a function may use beside its arguments; the caller gives it, so evaluation itself does no I/O. */
export interface Surroundings {
  /** Counted down by every step. */
  readonly effort: { stepsLeft: number };
  /** What of the values is to be shown to nobody. */
  readonly taint: Taint;
  /** RFC 3339 in UTC; the same during one compilation. */
  readonly now: () => string;
  /** Bytes that nobody can guess, for salts. */
  readonly randomBytes: (count: number) => Uint8Array;
  /** RSA without padding: the number that the key makes of the cipher's, as long as the modulus. Throws if it can't. */
  readonly rsaDecrypt: (cipher: Uint8Array, pemKey: string) => Uint8Array;
  /** Hex digest. */
  readonly hash: (algorithm: "md5" | "sha1" | "sha256" | "sha512", data: string | Uint8Array) => string;
  readonly uuid: () => string;
  readonly base64: {
    readonly encode: (text: string) => string;
    readonly decode: (text: string) => string;
    readonly decodeBytes: (text: string) => Uint8Array;
  };
  /** Files, paths relative to the jobspec; absent where a server evaluates. */
  readonly files?: FileReader;
}

export interface FileReader {
  readonly read: (path: string) => string;
  readonly readBase64: (path: string) => string;
  readonly exists: (path: string) => boolean;
  readonly absolute: (path: string) => string;
  readonly home: () => string;
  readonly list: (folder: string, pattern: string) => readonly string[];
}

/** Names in reach of an expression, and where its remarks go. */
export interface Scope {
  readonly source: Source;
  readonly report: Report;
  readonly surroundings: Surroundings;
  /** Loop variables and iterators; the innermost first. */
  readonly names: ReadonlyMap<string, Value>;
  /** `var.name`; undefined = not declared. */
  readonly variable: (name: string) => Value | undefined;
  readonly variableNames: () => readonly string[];
  /** `local.name`; undefined = not declared. `use` is the place of the reference. */
  readonly local: (name: string, use: Span) => Value | undefined;
  readonly localNames: () => readonly string[];
  /** What an include block stands for; absent where none may be. */
  readonly open?: (include: Block, scope: Scope) => { readonly body: Body; readonly scope: Scope } | undefined;
  /** Paths of the files that include one another down to this one; absent in the job file itself. */
  readonly includedFrom?: readonly string[];
  /** The text is a file that templatefile() reads. */
  readonly isTemplateFile?: true;
}

export function withNames(scope: Scope, added: Iterable<readonly [string, Value]>): Scope {
  return { ...scope, names: new Map([...scope.names, ...added]) };
}

export function fail(scope: Scope, span: Span, remark: Remark): Value {
  scope.report.error(scope.source, span, remark);
  return { kind: "unknown" };
}
