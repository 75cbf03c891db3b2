import type { CommandModule } from "../command.ts";
import { exitCode } from "../exit-codes.ts";
import { version } from "../version.ts";

export const run: CommandModule["run"] = async ({ out }) => {
  out.data({ version, node: process.version });
  out.line(version);
  return exitCode.done;
};
