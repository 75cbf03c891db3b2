import { canonicalJson } from "@muster/jobspecs";
import type { JobSubmission } from "@muster/proto";
import type { Invocation } from "../../command.ts";
import { type CompiledJob, givenVariables } from "./compile.ts";

/** The evaluated job as it is handed in; of sensitive variables values and defaults are left out, since versions are shown. */
export function submissionOf({ job, sensitiveNames, shownSource }: CompiledJob, invocation: Invocation): JobSubmission {
  const checkVersion = invocation.options.integer("checkVersion") ?? invocation.options.integer("checkIndex");
  return {
    name: job.id,
    type: job.type,
    role: job.role,
    priority: job.priority,
    definition: Buffer.from(canonicalJson(job), "utf8"),
    source: shownSource,
    variables: Object.fromEntries(
      givenVariables(invocation).map(({ name, value }) => [
        name,
        sensitiveNames.includes(name) ? "(sensitive)" : value,
      ]),
    ),
    ...(checkVersion === undefined ? {} : { checkVersion }),
  };
}
