import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { didYouMean } from "../diagnostics/suggest.ts";
import { type LocalDefinition, Locals } from "../evaluate/locals.ts";
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
import { shownSource, withHiddenPlaces } from "./hide.ts";
import { Includes } from "./includes.ts";
import { isJson, readJsonFile } from "./json-body.ts";
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
  /** Variables whose values are to be shown to nobody. */
  readonly sensitiveNames: readonly string[];
  /** The file without the defaults of these. */
  readonly shownSource: string;
  readonly diagnostics: readonly Diagnostic[];
  /** Diagnostics beyond the limit, counted only. */
  readonly omittedCount: number;
}

type Settled = Pick<Compiled, "job" | "sensitiveNames" | "shownSource">;

/** A jobspec in HCL or JSON syntax and its variables -> the typed job, or diagnostics. Never throws for what is in the texts. */
export function compileJob(inputs: CompileInputs): Compiled {
  const source = new Source(inputs.file, inputs.text);
  const report = new Report();
  const body = isJson(inputs.text) ? readJsonFile(source, report) : parse(source, report);
  const settled =
    report.errorCount === 0 ? withinLimits(source, report, () => compileBody(source, body, inputs, report)) : undefined;
  return {
    ...(settled?.job && report.errorCount === 0 ? { job: settled.job } : {}),
    sensitiveNames: settled?.sensitiveNames ?? [],
    shownSource: settled?.shownSource ?? inputs.text,
    diagnostics: report.diagnostics,
    omittedCount: report.omittedCount,
  };
}

function compileBody(source: Source, body: Body, inputs: CompileInputs, report: Report): Settled {
  const surroundings = surroundingsOf(inputs);
  const variables = new Variables(report, surroundings);
  const definitions = new Map<string, LocalDefinition>();
  const locals = new Locals(definitions);
  const includes = new Includes(source, inputs.files);
  const scope: Scope = {
    source,
    report,
    surroundings,
    names: new Map(),
    variable: (name) => variables.get(name),
    variableNames: () => variables.names(),
    local: (name, use) => locals.get(name, use, scope),
    localNames: () => locals.names(),
    open: (block, within) => includes.open(block, within),
  };
  const jobs = sortItems(body, scope, variables, definitions);
  variables.settle({
    variables: inputs.variables ?? [],
    variableFiles: inputs.variableFiles ?? [],
    environment: inputs.environment ?? {},
  });
  for (const [name, definition] of definitions) locals.get(name, definition.attribute.nameSpan, scope);
  const sensitiveNames = variables.sensitiveNames();
  const shown = { sensitiveNames, shownSource: shownSource(source.text, variables.sensitiveDefaults(source)) };
  const [first, ...others] = jobs;
  for (const other of others) {
    report.error(other.scope.source, other.block.typeSpan, {
      code: "job/one-job",
      summary: "a file holds one job",
      related: first && { source: first.scope.source, span: first.block.typeSpan, summary: "the first one" },
    });
  }
  if (!first) {
    const end = { start: source.text.length, end: source.text.length };
    report.error(source, end, { code: "job/no-job", summary: "the file has no job block", hint: 'add job "name" { }' });
    return shown;
  }
  const decoded = decodeBlock(first.block, jobBlock, first.scope);
  const job = withHiddenPlaces(buildJob(decoded), surroundings.taint.attributes, report);
  if (report.errorCount === 0) refuseUnfit(job, first.scope.source, first.block, report);
  return { job, ...shown };
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

const topLevel = ["job", "variable", "variables", "locals", "include"];

interface ScopedBlock {
  readonly block: Block;
  readonly scope: Scope;
}

function sortItems(
  body: Body,
  scope: Scope,
  variables: Variables,
  definitions: Map<string, LocalDefinition>,
): ScopedBlock[] {
  const { source, report } = scope;
  const jobs: ScopedBlock[] = [];
  for (const item of body.items) {
    if (item.kind === "attribute") {
      report.error(source, item.nameSpan, {
        code: "schema/unknown-attribute",
        summary: `no attribute "${item.name}" outside the job block`,
        hint: didYouMean(item.name, topLevel) ?? "move it into the job block",
      });
    } else if (item.type === "job") jobs.push({ block: item, scope });
    else if (item.type === "variable") variables.declare(item, source);
    else if (item.type === "variables" || item.type === "locals") {
      forAttributes(source, item, report, (attribute) => {
        if (item.type === "variables") variables.declareShort(attribute, source);
        else defineLocal({ attribute, source }, report, definitions);
      });
    } else if (item.type === "include") {
      const included = scope.open?.(item, scope);
      if (included) jobs.push(...sortItems(included.body, included.scope, variables, definitions));
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

function defineLocal(definition: LocalDefinition, report: Report, definitions: Map<string, LocalDefinition>): void {
  const { attribute, source } = definition;
  const first = definitions.get(attribute.name);
  if (!first) {
    definitions.set(attribute.name, definition);
    return;
  }
  report.error(source, attribute.nameSpan, {
    code: "schema/repeated",
    summary: `local "${attribute.name}" is declared twice`,
    related: { source: first.source, span: first.attribute.nameSpan, summary: "first declared here" },
  });
}
