import { existsSync, readFileSync } from "node:fs";
import { compileJob, renderDiagnostics } from "@muster/jobspecs";
import type { JobStatus } from "@muster/proto";
import { CliError, toCliError } from "../cli-error.ts";
import type { Invocation } from "../command.ts";
import { waitUntilHealthy } from "../commands/job/run.ts";
import { submissionOf } from "../commands/job/submission.ts";
import type { WaitResult } from "../commands/job/wait.ts";
import { askDns, type DnsReply } from "../connect/ask-dns.ts";
import { type Client, message } from "../connect/client.ts";
import { exampleFile } from "../example-job.ts";
import { exitCode } from "../exit-codes.ts";

export const exampleName = "hello";
const patienceMs = 60_000;
/** DNS follows within milliseconds; this bounds the surprise. */
const dnsPatienceMs = 3_000;
const dnsEveryMs = 20;

/** Runs the example if the cluster does not know it; an example that its owner stopped or changed is left alone. */
export async function runExample(client: Client, invocation: Invocation): Promise<WaitResult | undefined> {
  const { out } = invocation;
  const known = await findExample(client);
  if (known) {
    const { version = 0, desired = 0 } = known.summary ?? {};
    if (desired === 0) return undefined;
    return waitUntilHealthy(client, out, exampleName, version, patienceMs);
  }
  const file = exampleFile;
  if (!existsSync(file)) throw new CliError(exitCode.failed, `${file} is missing`, { hint: "muster dev --no-example" });
  const source = readFileSync(file, "utf8");
  const { job, diagnostics, ...shown } = compileJob({ file, text: source });
  if (!job) throw new CliError(exitCode.failed, `the example is no valid job:\n${renderDiagnostics(diagnostics)}`);
  out.say(`running ${file}`);
  const { version } = await client.call(
    "Jobs.Run",
    message("RunRequest", { job: submissionOf({ job, ...shown }, invocation) }),
  );
  return waitUntilHealthy(client, out, job.id, version, patienceMs);
}

async function findExample(client: Client): Promise<JobStatus | undefined> {
  try {
    return (await client.call("Jobs.Get", message("JobsGetRequest", { name: exampleName }))).job ?? undefined;
  } catch (error) {
    if (toCliError(error).kind === "not-found") return undefined;
    throw error;
  }
}

/** The SRV records of the example, by a real question to the cluster's server, once it names `count` of them. */
export async function askExample(
  server: string,
  domain: string,
  count: number,
): Promise<{ name: string; reply: DnsReply }> {
  const name = `_http._${exampleName}._tcp.services.${domain}`;
  const deadlineMs = Date.now() + dnsPatienceMs;
  for (;;) {
    const reply = await askDns(server, name, "SRV");
    if (reply.answers.length >= count || Date.now() > deadlineMs) return { name, reply };
    await new Promise((resolve) => setTimeout(resolve, dnsEveryMs));
  }
}
