import { usageError } from "../../cli-error.ts";
import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { jobJson, summaryOf } from "./describe.ts";
import { findJob } from "./find.ts";
import { showOutcome } from "./outcome.ts";
import { isSettled, outcomeCodes, waitForJob } from "./wait.ts";

export const run: CommandModule["run"] = (invocation) => {
  const wanted = parseScale(invocation.args);
  return withClient(invocation, async (client) => {
    const { out, options } = invocation;
    const { name } = summaryOf(await findJob(client, wanted.name));
    const { version, countBefore } = await client.call(
      "Jobs.Scale",
      message("ScaleRequest", { name, group: wanted.group, count: wanted.count, wipe: options.flag("wipe") }),
    );
    out.say(`${name}: ${countBefore} -> ${wanted.count}, version ${version}`);
    if (options.flag("detach")) {
      out.data({ name, version, countBefore, count: wanted.count, outcome: "detached" });
      return exitCode.done;
    }
    const { outcome, job } = await waitForJob(client, out, {
      name,
      timeoutMs: options.durationMs("timeout"),
      reached: (now) => isSettled(now, version),
    });
    out.data({ ...(job === undefined ? { name } : jobJson(job)), countBefore, outcome });
    showOutcome(out, name, outcome, job);
    return outcomeCodes[outcome];
  });
};

interface Scaling {
  readonly name: string;
  /** Empty: the job's only one. */
  readonly group: string;
  readonly count: number;
}

/** `web=5`, `web/group=5`, `web 5`, `web group 5`. */
export function parseScale(words: readonly string[]): Scaling {
  const [first = "", second, third, ...more] = words;
  const joined = /^([^=]+)=(\d{1,6})$/.exec(first);
  if (joined && second === undefined) {
    const [name = "", group = ""] = (joined[1] ?? "").split("/", 2);
    return { name, group, count: Number(joined[2]) };
  }
  const count = third ?? second ?? "";
  if (joined || more.length > 0 || !/^\d{1,6}$/.test(count))
    throw usageError("a job and a count are needed", "muster job scale web=5, or muster job scale web GROUP 5");
  return { name: first, group: third === undefined ? "" : (second ?? ""), count: Number(count) };
}
