import { jobJsonSchema } from "@muster/jobspecs";
import type { CommandModule } from "../../command.ts";
import { exitCode } from "../../exit-codes.ts";

export const run: CommandModule["run"] = async ({ out }) => {
  const schema = jobJsonSchema();
  out.data(schema);
  out.line(JSON.stringify(schema, undefined, 2));
  return exitCode.done;
};
