import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Diagnostic } from "@muster/jobspecs";
import { formatSource, validateSource } from "@muster/jobspecs/format";
import { usageError } from "../../cli-error.ts";
import type { CommandModule } from "../../command.ts";
import { exitCode } from "../../exit-codes.ts";

export const run: CommandModule["run"] = async ({ args, options, out }) => {
  if (args.length === 0) throw usageError("no file or folder was given", "muster job fmt .");
  const check = options.flag("check");
  const changed: string[] = [];
  let isBad = false;
  for (const file of args.flatMap(filesOf)) {
    const text = readFileSync(file === "-" ? 0 : file, "utf8");
    const diagnostics = validateSource(file === "-" ? "<stdin>" : file, text);
    if (diagnostics.some(({ severity }) => severity === "error")) {
      isBad = true;
      await report(diagnostics);
      continue;
    }
    const formatted = formatSource(text);
    if (file === "-" && !check) {
      out.raw(formatted);
      continue;
    }
    if (formatted === text) continue;
    changed.push(file);
    if (!check) replaceFile(file, formatted);
    out.line(`${check ? "would change" : "changed"} ${file}`);
  }
  out.data({ changed, written: !check });
  return isBad || (check && changed.length > 0) ? exitCode.failed : exitCode.done;

  async function report(diagnostics: readonly Diagnostic[]): Promise<void> {
    // Loaded only for a file that is wrong: what evaluates jobs would double the time of a check.
    const { renderDiagnostics } = await import("@muster/jobspecs");
    if (!out.json) process.stderr.write(renderDiagnostics(diagnostics));
    for (const { file, line, column, summary } of diagnostics)
      if (out.json) out.warn(`${file}:${line}:${column}: ${summary}`);
  }
};

function filesOf(path: string): string[] {
  if (path === "-" || !statSync(path).isDirectory()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .flatMap((entry) => {
      const below = join(path, entry.name);
      if (entry.isDirectory()) return entry.name.startsWith(".") || entry.name === "node_modules" ? [] : filesOf(below);
      return entry.isFile() && entry.name.endsWith(".hcl") ? [below] : [];
    })
    .sort();
}

/** Whole or not at all: a jobspec must not be lost to a full disk. */
function replaceFile(file: string, text: string): void {
  const temporary = `${file}.muster-fmt`;
  try {
    writeFileSync(temporary, text, { mode: statSync(file).mode });
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
