import type { ArgumentSpec, OptionSpec } from "../command.ts";

/** Of commands that wait for a job. */
export const waiting: readonly OptionSpec[] = [
  { flags: "--detach", help: "do not wait until it is healthy" },
  { flags: "--timeout <duration>", help: "stop waiting after so long, for instance 90s or 5m; the job goes on" },
];
/** Of commands about one job. */
export const nameArgument: ArgumentSpec = { name: "<name>", help: "name of the job, or a beginning that only it has" };
