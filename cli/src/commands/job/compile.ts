import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { type Compiled, compileJob, type Job, renderDiagnostics } from "@muster/jobspecs";
import { CliError, usageError } from "../../cli-error.ts";
import type { Invocation } from "../../command.ts";
import { exitCode } from "../../exit-codes.ts";
import { folderFiles } from "./folder-files.ts";

export interface SourceText {
  /** As it was named; "<stdin>" for -. */
  readonly file: string;
  readonly text: string;
}

export function readSource(file: string): SourceText {
  if (file === "-") return { file: "<stdin>", text: readFileSync(0, "utf8") };
  return { file, text: readFileSync(file, "utf8") };
}

/** The jobspec with the variables of the command line and the environment. */
export function compileSource(source: SourceText, invocation: Invocation): Compiled {
  return compileJob({
    ...source,
    variables: givenVariables(invocation),
    variableFiles: invocation.options.list("varFile").map((file) => readSource(file)),
    environment: invocation.environment,
    files: folderFiles(source.file === "<stdin>" ? "." : dirname(source.file)),
  });
}

/** `--var name=value`, in order. */
export function givenVariables(invocation: Invocation): { name: string; value: string }[] {
  return invocation.options.list("var").map((text) => {
    const at = text.indexOf("=");
    if (at < 1) throw usageError(`--var needs name=value, not "${text}"`);
    return { name: text.slice(0, at), value: text.slice(at + 1) };
  });
}

export interface CompiledJob {
  readonly job: Job;
  /** Variables whose values are shown to nobody. */
  readonly sensitiveNames: readonly string[];
  /** The file without their defaults. */
  readonly shownSource: string;
}

/** Compiles, prints what is to be said about it, and gives the job or ends the command: nothing is sent on error. */
export function compileOrFail(source: SourceText, invocation: Invocation): CompiledJob {
  const { job, sensitiveNames, shownSource, diagnostics, omittedCount } = compileSource(source, invocation);
  if (diagnostics.length > 0 && !invocation.out.json) process.stderr.write(renderDiagnostics(diagnostics));
  if (omittedCount > 0) invocation.out.say(`and ${omittedCount} more`);
  if (job) {
    if (invocation.out.json)
      for (const { file, line, column, summary } of diagnostics)
        invocation.out.warn(`${file}:${line}:${column}: ${summary}`);
    return { job, sensitiveNames, shownSource };
  }
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  const [first] = errors;
  const place = first === undefined ? "" : `: ${first.file}:${first.line}:${first.column}: ${first.summary}`;
  throw new CliError(
    exitCode.failed,
    `${source.file} is no valid job: ${errors.length} error${errors.length === 1 ? "" : "s"}${place}; nothing was sent`,
    { kind: "invalid" },
  );
}
