import { crossCheck, type Diagnostic, renderAnnotations, renderDiagnostics } from "@muster/jobspecs";
import type { CommandModule, Invocation } from "../../command.ts";
import { exitCode } from "../../exit-codes.ts";
import { compileSource, readSource } from "./compile.ts";

export const run: CommandModule["run"] = async (invocation) => {
  const { args, out } = invocation;
  const results: { file: string; diagnostics: readonly Diagnostic[]; omittedCount: number }[] = [];
  for (const file of args) results.push(await check(file, invocation));
  const isValid = (diagnostics: readonly Diagnostic[]): boolean =>
    !diagnostics.some(({ severity }) => severity === "error");
  out.data(
    results.map(({ file, diagnostics }) => ({
      file,
      valid: isValid(diagnostics),
      diagnostics: diagnostics.map(
        ({ severity, code, file, line, column, endLine, endColumn, summary, detail, hint, related }) => ({
          severity,
          code,
          file,
          line,
          column,
          endLine,
          endColumn,
          summary,
          detail: [detail, hint].filter((text) => text !== undefined && text !== "").join("; "),
          related: related ?? [],
        }),
      ),
    })),
  );
  for (const { file, diagnostics, omittedCount } of results) {
    // Annotations are read on standard output.
    if (!out.json && invocation.options.flag("annotations")) out.raw(renderAnnotations(diagnostics));
    else if (!out.json && diagnostics.length > 0) process.stderr.write(renderDiagnostics(diagnostics));
    if (omittedCount > 0) out.say(`and ${omittedCount} more in ${file}`);
    if (isValid(diagnostics)) out.line(`${file}: valid`);
  }
  const firstBad = results.find(({ diagnostics }) => !isValid(diagnostics));
  if (firstBad) return exitCode.failed;
  out.next(`muster job plan ${args[0] ?? ""}`);
  return exitCode.done;
};

async function check(file: string, invocation: Invocation) {
  const source = readSource(file);
  // The other grammar takes longest to load, in a thread of its own: it begins before we do.
  const checking = crossCheck(source);
  const { diagnostics, omittedCount } = compileSource(source, invocation);
  const refused = diagnostics.some(({ severity }) => severity === "error");
  return { file, diagnostics: refused ? diagnostics : [...diagnostics, ...(await checking)], omittedCount };
}
