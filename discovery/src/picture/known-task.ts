import { panicLabel, type Standing, standingOf, ttlLabel } from "@muster/foundation";
import type { TaskRecord } from "@muster/proto";
import { type NamedTask, type NameRecords, taskNames } from "../names/task-names.ts";

const ttlSecondsDefault = 5;
const ttlSecondsMax = 3_600;

/** What is kept of a running task: its names, ready to be published. */
export interface KnownTask {
  readonly key: string;
  readonly taskId: string;
  readonly name: string;
  readonly frameworkName: string;
  readonly agentId: string;
  readonly standing: Standing;
  /** All that its names are made of, in one text: news that leaves it as it is changes no name. */
  readonly fingerprint: string;
  /** Whether it may stay published when all of its name fail. */
  readonly mayPanic: boolean;
  readonly names: readonly NameRecords[];
  /** Why names of it are not published. */
  readonly refused: readonly string[];
}

/** The key of a task in the whole cluster. */
export function taskKey(frameworkId: string, taskId: string): string {
  return `${frameworkId}/${taskId}`;
}

/**
 * Takes a record from the wire in; undefined for a task that is not to be found, and `before` itself if nothing of it
 * has changed. Copies what it keeps.
 */
export function knownTask(record: TaskRecord, domain: string, before?: KnownTask): KnownTask | undefined {
  const standing = standingOf(record);
  if (standing === "absent") return undefined;
  const fingerprint = fingerprintOf(record, standing);
  if (before?.fingerprint === fingerprint) return before;
  const named: NamedTask = {
    taskId: record.taskId,
    name: record.name,
    frameworkName: record.frameworkName,
    agentId: record.agentId,
    agentIp: record.agentIp,
    ips: record.status?.container?.ips ?? [],
    ports: record.status?.container?.ports ?? [],
    networks: record.status?.container?.networks ?? [],
    endpoints: record.discovery?.endpoints ?? [],
    ttlSeconds: ttlOf(record.labels[ttlLabel]),
  };
  const { names, refused } = taskNames(named, domain);
  return {
    key: taskKey(record.frameworkId, record.taskId),
    taskId: record.taskId,
    name: record.name,
    frameworkName: record.frameworkName,
    agentId: record.agentId,
    standing,
    fingerprint,
    mayPanic: record.labels[panicLabel] !== "off",
    names,
    refused,
  };
}

function fingerprintOf(record: TaskRecord, standing: Standing): string {
  const { name, frameworkName, agentId, agentIp, labels, status, discovery } = record;
  let text = `${standing} ${name}\n${frameworkName}\n${agentId} ${agentIp} ${labels[ttlLabel] ?? ""} ${labels[panicLabel] ?? ""}`;
  for (const ip of status?.container?.ips ?? []) text += ` ${ip}`;
  for (const port of status?.container?.ports ?? [])
    text += `\n${port.label} ${port.number} ${port.to} ${port.protocol} ${port.ip} ${port.network ?? 0}`;
  for (const { ips } of status?.container?.networks ?? []) text += `\n${ips.join(" ")}`;
  for (const endpoint of discovery?.endpoints ?? [])
    text += `\n${endpoint.name}\n${endpoint.portLabel}\n${endpoint.protocol}`;
  return text;
}

function ttlOf(written: string | undefined): number {
  const seconds = written === undefined ? Number.NaN : Number(written);
  return Number.isInteger(seconds) && seconds >= 0 && seconds <= ttlSecondsMax ? seconds : ttlSecondsDefault;
}
