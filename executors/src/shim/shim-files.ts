import { constants } from "node:os";
import { attemptOf, claimName } from "../agent/folders.ts";
import type { ProcExit, ProcSpec, ProcStarted } from "../world/proc.ts";
import type { Account } from "./accounts.ts";

/** What runs on lent processor waits for everybody else: the kernel knows nothing lower. */
const niceOfLent = 19;

/** What the shim reads: NAME=VALUE fields, each closed by a zero byte. `extra` are the fields of a container. */
export function shimSpec(
  spec: ProcSpec,
  workFolder: string,
  events: string,
  account: Account | undefined,
  extra: readonly string[] = [],
): string {
  const fields = [
    `arch=${process.arch}`,
    `events=${events}`,
    `claim=${claimName(attemptOf(spec.id))}`,
    `cwd=${workFolder}`,
    `command=${spec.command}`,
    `log_bytes=${spec.logFileBytesMax}`,
    `log_files=${spec.logFilesMax}`,
  ];
  fields.push(...extra);
  if (spec.isLent) fields.push(`nice=${niceOfLent}`);
  if (account)
    fields.push(`uid=${account.uid}`, `gid=${account.gid}`, `groups=${account.groups.join(" ") || account.gid}`);
  if (spec.network) {
    const { namespace, hostname, filesFolder } = spec.network;
    fields.push(`netns=${namespace}`, `hostname=${hostname}`, `net_files=${filesFolder}`);
  }
  for (const argument of spec.arguments) fields.push(`arg=${argument}`);
  for (const [name, value] of Object.entries(spec.environment)) fields.push(`env=${name}=${value}`);
  return fields.map((field) => `${field}\0`).join("");
}

/** What a shim has written when the command's program began. */
export function parseStarted(text: string): ProcStarted | undefined {
  const facts = parseFacts(text);
  const started = {
    pid: Number(facts.get("pid")),
    startTicks: Number(facts.get("start")),
    shimPid: Number(facts.get("shim")),
    shimStartTicks: Number(facts.get("shim_start")),
    at: Number(facts.get("at")),
  };
  return started.pid > 0 && started.shimPid > 0 && Number.isFinite(started.at) ? started : undefined;
}

export type ShimEnd =
  | { readonly type: "exited"; readonly exit: ProcExit }
  | { readonly type: "failed"; readonly message: string };

/** What a shim has written at the end. */
export function parseEnd(text: string): ShimEnd | undefined {
  const facts = parseFacts(text);
  const at = Number(facts.get("at"));
  if (!Number.isFinite(at)) return undefined;
  const failed = facts.get("failed");
  if (failed !== undefined) {
    const [stage, errno, message] = failed.split("\t");
    return { type: "failed", message: `${stage}: ${message}${errno ? ` (errno ${errno})` : ""}` };
  }
  const code = Number(facts.get("code"));
  const number = Number(facts.get("signal"));
  if (!Number.isInteger(code) || !Number.isInteger(number)) return undefined;
  const signal = number === 0 ? "" : signalName(number);
  const kills = parseMemoryKilled(text);
  const exit = { exitCode: number === 0 ? code : undefined, signal, at };
  return { type: "exited", exit: kills > 0 ? { ...exit, memoryKills: kills } : exit };
}

/** How many of its processes the kernel has ended for want of memory. */
export function parseMemoryKilled(text: string): number {
  return Number(parseFacts(text).get("memory_kills") ?? 0) || 0;
}

function parseFacts(text: string): Map<string, string> {
  const facts = new Map<string, string>();
  for (const line of text.split("\n")) {
    const equals = line.indexOf("=");
    if (equals > 0) facts.set(line.slice(0, equals), line.slice(equals + 1));
  }
  return facts;
}

export function signalName(number: number): string {
  for (const [name, value] of Object.entries(constants.signals)) if (value === number) return name;
  return `SIG${number}`;
}
