import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { compileFunction } from "node:vm";
import type { Diagnostic } from "../diagnostics/diagnostic.ts";

/**
 * HashiCorp's own parser with its diagnostics, which hcl2-parser has inside and gives nobody: its one file is loaded with
 * a statement more, that hands out the table of its packages. This leans on names of one build of it.
 */
export interface Oracle {
  /** Errors in the order of their places. Undefined: it panicked, which is no verdict on the text. */
  diagnose(text: string): OracleDiagnostic[] | undefined;
}

export interface OracleDiagnostic {
  readonly summary: string;
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
}

const buildKnown = "0880150d219369028389c551c267c0d2619562e4764c08c45b083c20c85af608";
const start = "$go($mainPkg.$init, []);";

interface GoSlice<T> {
  readonly $array: readonly T[];
  readonly $offset: number;
  readonly $length: number;
}

interface GoPosition {
  readonly Line: number;
  readonly Column: number;
}

interface GoDiagnostic {
  readonly Summary: string;
  readonly Subject: { readonly Start: GoPosition; readonly End: GoPosition };
}

interface GoPackages {
  readonly [name: string]: {
    readonly ParseConfig: (bytes: unknown, file: string, from: unknown) => [unknown, GoSlice<GoDiagnostic>];
    readonly Pos: { readonly ptr: new (line: number, column: number, byte: number) => unknown };
  };
}

interface Opened {
  readonly packages: GoPackages;
  readonly bytesOf: (text: string) => unknown;
}

/** Throws if it is not the build whose inside is known: its names are to be looked up anew then. */
export function loadOracle(): Oracle {
  const require = createRequire(import.meta.url);
  const path = require.resolve("hcl2-parser");
  const code = readFileSync(path, "utf8");
  if (createHash("sha256").update(code).digest("hex") !== buildKnown)
    throw new Error("hcl2-parser is not the build whose inside is known");
  const more = `module.opened = { packages: $packages, bytesOf: (text) => new ($sliceType($Uint8))(Buffer.from(text)) };`;
  const module: { exports: object; opened?: Opened } = { exports: {} };
  const names = ["exports", "require", "module"];
  compileFunction(code.replace(start, `${start}\n${more}`), names)(module.exports, require, module);
  const { opened } = module;
  const hcl = opened?.packages["hcl2-parser/vendor/github.com/hashicorp/hcl/v2"];
  const syntax = opened?.packages["hcl2-parser/vendor/github.com/hashicorp/hcl/v2/hclsyntax"];
  if (!opened || !hcl || !syntax) throw new Error("hcl2-parser has no such packages");
  return {
    diagnose: (text) => {
      try {
        const [, found] = syntax.ParseConfig(opened.bytesOf(text), "f.hcl", new hcl.Pos.ptr(1, 1, 0));
        return found.$array
          .slice(found.$offset, found.$offset + found.$length)
          .map(plain)
          .sort(byPlace);
      } catch {
        return undefined;
      }
    },
  };
}

function byPlace(a: OracleDiagnostic, b: OracleDiagnostic): number {
  return a.line - b.line || a.column - b.column;
}

function plain({ Summary, Subject: { Start, End } }: GoDiagnostic): OracleDiagnostic {
  return { summary: Summary, line: Start.Line, column: Start.Column, endLine: End.Line, endColumn: End.Column };
}

const lexerFirst = "there texts and signs are told before what stands around them";
const untilGivenUp = "there where the search for the bracket ended, here where it should be";
const missingFirst = "here what is missing afterwards is told before what is there too much";

/**
 * Errors that the reference places elsewhere than we do, by its own words for them, with our code if that matters and the
 * reason. All others are at the same line and column.
 */
const placedElsewhere: readonly { readonly summary: string; readonly code?: string; readonly why: string }[] = [
  {
    summary: "Argument or block definition required",
    code: "syntax/unclosed-block",
    why: "here at the brace, as HCL of today has it; there at the end of the file",
  },
  { summary: "Missing close bracket on index", why: untilGivenUp },
  { summary: "Missing close bracket on splat index", why: untilGivenUp },
  { summary: "Missing closing parenthesis", why: "there at the ... before, here at what should be the parenthesis" },
  { summary: "Invalid attribute name", why: "there at the splat, here where the name should be" },
  { summary: "Unexpected end of template", why: "in a heredoc there at the last line, here at the marker in it" },
  { summary: "Unexpected else directive", why: missingFirst },
  { summary: "Unexpected endif directive", why: missingFirst },
  { summary: "Unexpected endfor directive", why: missingFirst },
  {
    summary: "Invalid expression",
    code: "syntax/expected-arrow",
    why: "there a word of the loop is taken for a value",
  },
  { summary: "Invalid multi-line string", why: lexerFirst },
  { summary: "Invalid character", why: lexerFirst },
];

/** "" if the first error is where the reference has it, or the difference is one of those known; else what differs. */
export function differenceOfPlaces(ours: readonly Diagnostic[], theirs: readonly OracleDiagnostic[]): string {
  const [[mine], [first]] = [ours, theirs];
  if (!mine || !first) return mine || first ? "one of both refuses it" : "";
  if (mine.line === first.line && mine.column === first.column) return "";
  const isKnown = placedElsewhere.some(
    ({ summary, code = mine.code }) => summary === first.summary && code === mine.code,
  );
  const place = ({ line, column, summary }: OracleDiagnostic): string => `${line}:${column} ${summary}`;
  return isKnown ? "" : `here ${place(mine)}, there ${place(first)}`;
}
