import type { TaskRecord } from "@muster/proto";
import { taskKey } from "./cluster.ts";
import { healthWord, isTerminal, reasonWord, taskWord, type Word } from "./words.ts";

/** A task as its row shows it. */
export interface TaskRow {
  readonly key: string;
  readonly record: TaskRecord;
  readonly state: Word;
  readonly health: Word;
  readonly terminal: boolean;
  /** Why it is in its state, for people; empty if the state says it all. */
  readonly why: string;
  readonly ports: readonly { label: string; number: number; ip: string }[];
  /** When its state began at its source, milliseconds since the epoch; 0 if unknown. */
  readonly at: number;
  readonly sortKey: string;
  /** Everything that a bare word of the filter looks into, in lower case. */
  readonly haystack: string;
}

const rows = new WeakMap<TaskRecord, TaskRow>();

/** The row of a record. Records are replaced, never changed, so a row is made once. */
export function taskRow(record: TaskRecord): TaskRow {
  const known = rows.get(record);
  if (known !== undefined) return known;
  const { status } = record;
  const state = taskWord(status?.state ?? 0);
  const health = healthWord(status?.health ?? 0);
  const ports = (status?.container?.ports ?? []).map(({ label, number, ip }) => ({ label, number, ip }));
  const row: TaskRow = {
    key: taskKey(record.frameworkId, record.taskId),
    record,
    state,
    health,
    terminal: isTerminal(status?.state ?? 0),
    why: whyOf(record),
    ports,
    at: status?.at ?? 0,
    sortKey: sortable(record.taskId),
    haystack: [
      record.taskId,
      record.name,
      record.agentName,
      record.agentIp,
      record.frameworkName,
      record.role,
      state.word,
      health.word,
      status?.message ?? "",
      ...ports.map(({ label, number }) => `${label}:${number}`),
      ...Object.entries(record.labels).map(([name, value]) => `${name}=${value}`),
      ...(record.discovery?.endpoints ?? []).map(({ name }) => name),
    ]
      .join("\n")
      .toLowerCase(),
  };
  rows.set(record, row);
  return row;
}

function whyOf({ status }: TaskRecord): string {
  if (!status) return "";
  const parts = [reasonWord(status.reason)];
  if (status.signal !== "") parts.push(status.signal);
  else if (status.exitCode !== undefined && status.exitCode !== null && isTerminal(status.state))
    parts.push(`exit code ${status.exitCode}`);
  parts.push(status.message);
  return parts.filter((part) => part !== "").join(" · ");
}

/** Text whose plain order puts web.2 before web.10. */
const sortable = (text: string): string => text.replace(/\d+/g, (digits) => digits.padStart(12, "0"));

/** Which tasks are listed, by whether they have ended. */
export type Show = "all" | "live" | "ended";

/**
 * The rows to list: what passes `show` and every word of `filter`; the living in order of their ids, then the ended,
 * latest first. A word is looked for everywhere; `field:word` in one field (name, id, state, health, agent, framework,
 * role, port), and `field=word` must be all of it. O(n log n).
 */
export function selectTasks(records: Iterable<TaskRecord>, filter: string, show: Show): TaskRow[] {
  const tests = parseFilter(filter);
  const found: TaskRow[] = [];
  for (const record of records) {
    const row = taskRow(record);
    if (show !== "all" && row.terminal !== (show === "ended")) continue;
    if (tests.every((test) => test(row))) found.push(row);
  }
  return found.sort(inOrder);
}

function inOrder(a: TaskRow, b: TaskRow): number {
  if (a.terminal !== b.terminal) return a.terminal ? 1 : -1;
  if (a.terminal && a.at !== b.at) return b.at - a.at;
  return a.sortKey < b.sortKey ? -1 : a.sortKey > b.sortKey ? 1 : 0;
}

type Test = (row: TaskRow) => boolean;

/** The values of a field, one a line. */
const fields: Readonly<Record<string, (row: TaskRow) => string>> = {
  name: ({ record }) => record.name,
  id: ({ record }) => record.taskId,
  state: ({ state }) => state.word,
  health: ({ health }) => health.word,
  agent: ({ record }) => `${record.agentName}\n${record.agentId}\n${record.agentIp}`,
  framework: ({ record }) => `${record.frameworkName}\n${record.frameworkId}`,
  role: ({ record }) => record.role,
  port: ({ ports }) => ports.map(({ label, number }) => `${label}\n${number}`).join("\n"),
};

/** A filter that lists what has exactly this name in a field; by its id if its name can't be a word of a filter. */
export const filterFor = (field: "agent" | "framework", name: string, id: string): string =>
  `${field}=${/^\S+$/.test(name) ? name : id}`;

function parseFilter(filter: string): Test[] {
  const words = filter
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  return words.map((word) => {
    const [, name = "", sign, wanted = ""] = /^(\w+)([:=])(.*)$/.exec(word) ?? [];
    const field = fields[name];
    if (field === undefined) return (row) => row.haystack.includes(word);
    const values = (row: TaskRow): string[] => field(row).toLowerCase().split("\n");
    if (sign === "=") return (row) => values(row).includes(wanted);
    // "unhealthy" holds "healthy": words of a closed list are matched from their beginning.
    if (name === "health" || name === "state") return (row) => field(row).startsWith(wanted);
    return (row) => values(row).some((value) => value.includes(wanted));
  });
}
