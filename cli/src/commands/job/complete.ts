import { completionsAt } from "@muster/jobspecs";
import { usageError } from "../../cli-error.ts";
import type { CommandModule } from "../../command.ts";
import { exitCode } from "../../exit-codes.ts";
import { readSource } from "./compile.ts";

export const run: CommandModule["run"] = async ({ args, options, out }) => {
  const { text } = readSource(args[0] ?? "");
  const at = options.text("at");
  const found = completionsAt(text, at === undefined ? text.length : offsetOf(text, at));
  out.data(found);
  for (const { name, kind, doc } of found) out.line([name, kind, doc].join("\t"));
  return exitCode.done;
};

/** `line:column`, both from 1. */
function offsetOf(text: string, at: string): number {
  const [, line, column] = /^(\d+):(\d+)$/.exec(at) ?? [];
  const lines = text.split("\n");
  const index = Number(line) - 1;
  if (!(index >= 0 && index < lines.length)) throw usageError(`--at needs line:column of the file, not "${at}"`);
  const before = lines.slice(0, index).reduce((sum, one) => sum + one.length + 1, 0);
  return before + Math.min(Number(column) - 1, lines[index]?.length ?? 0);
}
