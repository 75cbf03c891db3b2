import type { JobStatus } from "@muster/proto";
import type { Output } from "../../output/output.ts";
import { groupsOfSeveral, instanceName, summaryOf } from "./describe.ts";
import { obstacleLines, reasonText } from "./show.ts";
import { awaitsPromotion, type Outcome } from "./wait.ts";

/** The last words of a command that waited. */
export function showOutcome(out: Output, name: string, outcome: Outcome, job: JobStatus | undefined): void {
  const summary = job === undefined ? undefined : summaryOf(job);
  const part = summary === undefined ? "" : ` ${summary.healthy}/${summary.desired} healthy`;
  if (outcome === "reached" && job && awaitsPromotion(job, 0)) {
    out.line(`${out.style.paint("green", "ok")} ${name}${part}: its canaries are healthy and wait to be promoted`);
    out.next(`muster job promote ${name}`);
    return;
  }
  if (outcome === "reached") {
    const word = summary?.type === "batch" || summary?.type === "sysbatch" ? " complete" : part;
    out.line(`${out.style.paint("green", "ok")} ${name}${word}${addresses(job)}`);
    out.next(`muster job status ${name}`);
    return;
  }
  if (outcome === "interrupted") {
    out.say(`stopped waiting:${part}; ${name} goes on`);
    out.next(`muster job status ${name}`);
    return;
  }
  const why = outcome === "timeout" ? "not in time" : outcome === "failed" ? "failed" : "not healthy";
  out.say(`${out.talkStyle.paint("red", why)}: ${name}${part}`);
  if (job) {
    for (const line of obstacleLines(job)) out.say(line);
    const nowMs = Date.now();
    const several = groupsOfSeveral(job);
    for (const instance of job.instances) {
      const reason = reasonText(instance, nowMs);
      if (reason !== "") out.say(`  ${instanceName(instance, several)}: ${reason}`);
    }
  }
  out.next(`muster job logs ${name}`);
}

function addresses(job: JobStatus | undefined): string {
  const places = (job?.instances ?? []).flatMap(({ ip, ports }) =>
    ports.map((port) => `${ip}:${port.number || port.to}`),
  );
  // Tasks of a group share its ports.
  const all = [...new Set(places)];
  const [first] = all;
  if (first === undefined) return "";
  return all.length === 1 ? `  ${first}` : `  ${first} +${all.length - 1}`;
}
