import { readFileSync } from "node:fs";
import { JobState, type JobStatus } from "@muster/proto";
import { usageError } from "../../cli-error.ts";
import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { jobJson, summaryOf } from "./describe.ts";
import { findJob } from "./find.ts";
import { showOutcome } from "./outcome.ts";
import { hasFailed, outcomeCodes, waitForJob } from "./wait.ts";

export const run: CommandModule["run"] = (invocation) => {
  const { out, options, args } = invocation;
  const meta = readMeta(options.list("meta"));
  const payload = readPayload(args[1]);
  return withClient(invocation, async (client) => {
    const parent = summaryOf(await findJob(client, args[0] ?? "")).name;
    const idempotencyToken = options.text("idempotencyToken") ?? "";
    const idPrefix = options.text("idPrefix") ?? "";
    const request = message("DispatchRequest", { name: parent, payload, meta, idempotencyToken, idPrefix });
    const { name, created } = await client.call("Jobs.Dispatch", request);
    out.say(created ? `${name} is taken in` : `${name} was dispatched before, with the same token`);
    if (!options.flag("wait")) {
      out.data({ name, parent, created, outcome: "detached" });
      out.next(`muster job status ${name}`);
      return exitCode.done;
    }
    const timeoutMs = options.durationMs("timeout");
    const result = await waitForJob(client, out, { name, timeoutMs, reached: isComplete, failed: hasFailed });
    const { outcome, job } = result;
    out.data({ ...(job === undefined ? { name } : jobJson(job)), parent, created, outcome });
    showOutcome(out, name, outcome, job);
    return outcomeCodes[outcome];
  });
};

/** `-m name=value`, each name once. */
function readMeta(texts: readonly string[]): Record<string, string> {
  const meta = new Map<string, string>();
  for (const text of texts) {
    const at = text.indexOf("=");
    if (at < 1) throw usageError(`--meta needs name=value, not "${text}"`);
    const name = text.slice(0, at);
    if (meta.has(name)) throw usageError(`--meta ${name} is given twice`);
    meta.set(name, text.slice(at + 1));
  }
  return Object.fromEntries(meta);
}

function readPayload(file: string | undefined): Buffer {
  if (file === undefined) return Buffer.alloc(0);
  return readFileSync(file === "-" ? 0 : file);
}

function isComplete(job: JobStatus): boolean {
  return summaryOf(job).state === JobState.JOB_STATE_COMPLETE;
}
