import { usageError } from "../../cli-error.ts";
import type { CommandModule } from "../../command.ts";
import { exitCode } from "../../exit-codes.ts";
import { compileOrFail, readSource } from "./compile.ts";

export const run: CommandModule["run"] = async (invocation) => {
  const form = invocation.options.text("to");
  if (form !== "json") throw usageError(`no form "${form}"`, "--to json");
  const { job } = compileOrFail(readSource(invocation.args[0] ?? ""), invocation);
  invocation.out.data(job);
  invocation.out.line(JSON.stringify(job, undefined, 2));
  return exitCode.done;
};
