import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ConvertedJob, compileJob, convertDocument, type Origin, originOf } from "@muster/jobspecs";
import { CliError, usageError } from "../../cli-error.ts";
import type { CommandModule, Invocation } from "../../command.ts";
import { exitCode } from "../../exit-codes.ts";
import { compileOrFail, readSource } from "./compile.ts";

export const run: CommandModule["run"] = async (invocation) => {
  const source = readSource(invocation.args[0] ?? "");
  const document = parsed(source.text);
  const origin = originOf(document);
  const form = invocation.options.text("to") ?? (origin ? "hcl" : "json");
  if (form !== "json" && form !== "hcl") throw usageError(`no form "${form}"`, "--to json");
  if (origin && form === "hcl") return convertForeign(document, origin, invocation);
  if (form === "hcl")
    throw new CliError(exitCode.failed, `${source.file} is no job of Nomad's API and no app or group of Marathon's`, {
      kind: "invalid",
    });
  const { job } = compileOrFail(source, invocation);
  invocation.out.data(job);
  invocation.out.line(JSON.stringify(job, undefined, 2));
  return exitCode.done;
};

/** undefined: no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function convertForeign(document: unknown, origin: Origin, { options, out }: Invocation): number {
  const jobs = convertDocument(document, origin);
  const folder = options.text("out");
  if (folder === undefined && jobs.length > 1 && !out.json)
    throw usageError(`${jobs.length} jobs, and a file holds one`, "--out FOLDER");
  const results = jobs.map((job) => ({ ...job, file: folder === undefined ? "" : write(folder, job), ...judge(job) }));
  out.data(results.map(({ id, text, losses, file, problems }) => ({ id, file, text, losses, problems })));
  for (const { id, text, file, losses, problems } of results) {
    if (file === "") {
      if (!out.json) out.raw(text);
    } else out.line(`wrote ${file}`);
    for (const { path, reason } of losses) out.say(`${id}: left out ${path}: ${reason}`);
    for (const problem of problems) out.say(`${id}: ${problem}`);
  }
  return results.some(({ problems }) => problems.length > 0) ? exitCode.failed : exitCode.done;
}

/** What job validate would say against it. */
function judge({ id, text }: ConvertedJob): { problems: string[] } {
  const { diagnostics } = compileJob({ file: `${id}.hcl`, text });
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  return { problems: errors.map(({ line, column, summary }) => `${line}:${column}: ${summary}`) };
}

/** A file that is there is somebody's work. */
function write(folder: string, { id, text }: ConvertedJob): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${id.replace(/[^A-Za-z0-9._-]/g, "_")}.hcl`);
  if (existsSync(file)) throw new CliError(exitCode.failed, `${file} is there already`, { kind: "exists" });
  writeFileSync(file, text);
  return file;
}
