import type { Answer } from "dns-packet";
import { table } from "./table.ts";

/** Records as dig prints them. */
export function recordsTable(records: readonly Answer[]): string {
  const rows = records
    .filter((record) => record.type !== "OPT")
    .map((record) => [record.name, String("ttl" in record ? (record.ttl ?? 0) : 0), record.type, recordText(record)]);
  return table(["NAME", "TTL", "TYPE", "DATA"], rows);
}

export function recordText(record: Answer): string {
  if (record.type === "SRV") {
    const { priority = 0, weight = 0, port, target } = record.data;
    return `${priority} ${weight} ${port} ${target}`;
  }
  if (record.type === "SOA") {
    const { mname, rname, serial, refresh, retry, expire, minimum } = record.data;
    return [mname, rname, serial, refresh, retry, expire, minimum].join(" ");
  }
  if (record.type === "TXT") {
    const parts = Array.isArray(record.data) ? record.data : [record.data];
    return parts.map((part) => JSON.stringify(part.toString())).join(" ");
  }
  const data = "data" in record ? record.data : "";
  return typeof data === "string" ? data : JSON.stringify(data);
}
