import type { Metrics } from "@muster/foundation";
import type { Discovery } from "../discovery.ts";
import { responseCode } from "../wire/constants.ts";

/** Brings the figures up to date. They are counted plainly while questions come in: a metric object costs as much as an answer. */
export function createFigures(discovery: Discovery, metrics: Metrics): () => void {
  const answers = metrics.counter("answers_total", "DNS answers by response code.", ["code"]);
  const truncated = metrics.counter("answers_truncated_total", "DNS answers that did not fit.");
  const dropped = metrics.counter("packets_dropped_total", "Packets that deserved no answer.");
  const age = metrics.gauge("feed_age_seconds", "How long the master has not been heard; 0 while it is.");
  const records = metrics.gauge("records", "Different records of the zone.");
  const refused = metrics.gauge("names_refused", "Names of running tasks that cannot be published.");
  const held = metrics.gauge("tasks_held", "Tasks kept until their agent is back with a new master.");
  const codes = new Map<number, string>(Object.entries(responseCode).map(([name, code]) => [code, name]));
  const seen = new Map<number, number>();
  let truncatedSeen = 0;
  let droppedSeen = 0;
  return () => {
    const status = discovery.status();
    for (const [code, count] of discovery.counts.byCode) {
      answers.inc({ code: codes.get(code) ?? String(code) }, count - (seen.get(code) ?? 0));
      seen.set(code, count);
    }
    truncated.inc(discovery.counts.truncated - truncatedSeen);
    truncatedSeen = discovery.counts.truncated;
    dropped.inc(discovery.counts.dropped - droppedSeen);
    droppedSeen = discovery.counts.dropped;
    age.set((status.feedAgeMs ?? 0) / 1_000);
    records.set(status.recordCount);
    refused.set(status.refusedCount);
    held.set(status.heldCount);
  };
}
