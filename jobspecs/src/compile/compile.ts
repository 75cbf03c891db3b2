import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { didYouMean } from "../diagnostics/suggest.ts";
import { Locals } from "../evaluate/locals.ts";
import type { FileReader, Scope } from "../evaluate/scope.ts";
import { canonicalJson } from "../job/canonical.ts";
import { decodeJob } from "../job/decode-job.ts";
import { JobInvalid } from "../job/reader.ts";
import type { Job } from "../job/types.ts";
import { jobBlock } from "../schema/table.ts";
import { parse } from "../syntax/parse.ts";
import { Report, Source } from "../syntax/source.ts";
import type { Attribute, Block, Body } from "../syntax/tree.ts";
import { buildJob } from "./build-job.ts";
import { decodeBlock } from "./decode.ts";
import { surroundingsOf, withinLimits } from "./surroundings.ts";
import { type VariableInputs, Variables } from "./variables.ts";

export interface CompileInputs extends Partial<VariableInputs> {
  /** Name for diagnostics. */
  readonly file: string;
  readonly text: string;
  /** Given only where the files are the user's own; without it file() and its like are errors. */
  readonly files?: FileReader;
  /** For uuidv4(); the machine's by default. */
  readonly uuid?: () => string;
  /** For timestamp(), RFC 3339 in UTC; the moment of the call by default. */
  readonly now?: () => string;
}

export interface Compiled {
  /** Present if and only if there is no error. */
  readonly job?: Job;
  readonly diagnostics: readonly Diagnostic[];
  /** Diagnostics beyond the limit, counted only. */
  readonly omittedCount: number;
}

/** A jobspec and its variables -> the typed job, or diagnostics. Never throws for what is in the texts. */
export function compileJob(inputs: CompileInputs): Compiled {
  const source = new Source(inputs.file, inputs.text);
  const report = new Report();
  const body = parse(source, report);
  const job =
    report.errorCount === 0 ? withinLimits(source, report, () => compileBody(source, body, inputs, report)) : undefined;
  return {
    ...(job && report.errorCount === 0 ? { job } : {}),
    diagnostics: report.diagnostics,
    omittedCount: report.omittedCount,
  };
}

function compileBody(source: Source, body: Body, inputs: CompileInputs, report: Report): Job | undefined {
  const surroundings = surroundingsOf(inputs);
  const variables = new Variables(source, report, surroundings);
  const definitions = new Map<string, Attribute>();
  const jobs = sortItems(source, body, report, variables, definitions);
  variables.settle({
    variables: inputs.variables ?? [],
    variableFiles: inputs.variableFiles ?? [],
    environment: inputs.environment ?? {},
  });
  const locals = new Locals(definitions);
  const scope: Scope = {
    source,
    report,
    surroundings,
    names: new Map(),
    variable: (name) => variables.get(name),
    variableNames: () => variables.names(),
    local: (name, use) => locals.get(name, use, scope),
    localNames: () => locals.names(),
  };
  for (const [name, definition] of definitions) locals.get(name, definition.nameSpan, scope);
  const [first, ...others] = jobs;
  for (const other of others) {
    report.error(source, other.typeSpan, {
      code: "job/one-job",
      summary: "a file holds one job",
      related: first && { source, span: first.typeSpan, summary: "the first one" },
    });
  }
  if (!first) {
    const end = { start: source.text.length, end: source.text.length };
    report.error(source, end, { code: "job/no-job", summary: "the file has no job block", hint: 'add job "name" { }' });
    return undefined;
  }
  const decoded = decodeBlock(first, jobBlock, scope);
  const job = buildJob(decoded);
  if (report.errorCount === 0) refuseUnfit(job, source, first, report);
  return job;
}

/** The framework will check the job again: what it would refuse is said here, where the author sees it. */
function refuseUnfit(job: Job, source: Source, block: Block, report: Report): void {
  try {
    decodeJob(canonicalJson(job));
  } catch (error) {
    if (!(error instanceof JobInvalid)) throw error;
    report.error(source, block.typeSpan, {
      code: "job/invalid",
      summary: `the job can't be accepted: ${error.field} ${error.reason}`,
    });
  }
}

const topLevel = ["job", "variable", "variables", "locals"];

function sortItems(
  source: Source,
  body: Body,
  report: Report,
  variables: Variables,
  definitions: Map<string, Attribute>,
): Block[] {
  const jobs: Block[] = [];
  for (const item of body.items) {
    if (item.kind === "attribute") {
      report.error(source, item.nameSpan, {
        code: "schema/unknown-attribute",
        summary: `no attribute "${item.name}" outside the job block`,
        hint: didYouMean(item.name, topLevel) ?? "move it into the job block",
      });
    } else if (item.type === "job") jobs.push(item);
    else if (item.type === "variable") variables.declare(item);
    else if (item.type === "variables" || item.type === "locals") {
      forAttributes(source, item, report, (attribute) => {
        if (item.type === "variables") variables.declareShort(attribute);
        else defineLocal(source, attribute, report, definitions);
      });
    } else {
      report.error(source, item.typeSpan, {
        code: "schema/unknown-block",
        summary: `no block "${item.type}" at the top of a job file`,
        hint: didYouMean(item.type, topLevel),
      });
    }
  }
  return jobs;
}

function forAttributes(source: Source, block: Block, report: Report, visit: (attribute: Attribute) => void): void {
  for (const item of block.body.items) {
    if (item.kind === "attribute") visit(item);
    else {
      report.error(source, item.typeSpan, {
        code: "schema/unknown-block",
        summary: `no block "${item.type}" in ${block.type}: it holds names and values`,
      });
    }
  }
}

function defineLocal(source: Source, attribute: Attribute, report: Report, definitions: Map<string, Attribute>): void {
  const first = definitions.get(attribute.name);
  if (!first) {
    definitions.set(attribute.name, attribute);
    return;
  }
  report.error(source, attribute.nameSpan, {
    code: "schema/repeated",
    summary: `local "${attribute.name}" is declared twice`,
    related: { source, span: first.nameSpan, summary: "first declared here" },
  });
}
