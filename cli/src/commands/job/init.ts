import { existsSync, writeFileSync } from "node:fs";
import { CliError, usageError } from "../../cli-error.ts";
import type { CommandModule } from "../../command.ts";
import { exampleAs } from "../../example-job.ts";
import { exitCode } from "../../exit-codes.ts";

export const run: CommandModule["run"] = async ({ args, options, out }) => {
  const name = (args[0] ?? "example").replace(/\.hcl$/, "");
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name))
    throw usageError(`"${name}" is no name for a job: small letters, digits and dashes, at most 63`);
  const file = `${name}.hcl`;
  if (existsSync(file) && !options.flag("force"))
    throw new CliError(exitCode.failed, `${file} is there already`, { hint: "another name, or --force" });
  const text = exampleAs(name);
  writeFileSync(file, text);
  const lineCount = text.trimEnd().split("\n").length;
  out.data({ file, lines: lineCount });
  out.line(`wrote ${file} (${lineCount} lines)`);
  out.next(`muster job run ${file}`);
  return exitCode.done;
};
