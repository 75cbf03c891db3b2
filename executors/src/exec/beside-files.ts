import { constants } from "node:os";
import { signalName } from "../shim/shim-files.ts";
import type { ExecQuestion } from "../world/task-files.ts";
import type { Entry } from "./enter.ts";

/** What the helper reads first: NAME=VALUE fields, each closed by a zero byte, and all of them by another. */
export function besideSpec(
  { pid, startTicks, command, environment, terminal }: ExecQuestion,
  { namespaces, cgroups }: Entry,
  workFolder: string,
): string {
  const fields = [`arch=${process.arch}`, `pid=${pid}`, `start=${startTicks}`, `cwd=${workFolder}`];
  if (terminal) fields.push("tty=1", `size=${terminal.columns} ${terminal.rows}`);
  fields.push(
    ...namespaces.map((kind) => `namespace=${kind}`),
    ...cgroups.map((path) => `cgroup=${path}/cgroup.procs`),
  );
  fields.push(...command.map((word) => `command=${word}`));
  for (const [name, value] of Object.entries(environment)) fields.push(`env=${name}=${value}`);
  return `${fields.map((field) => `${field}\0`).join("")}\0`;
}

export type BesideEnd =
  | { readonly type: "ended"; readonly exitCode: number; readonly signal: string }
  | { readonly type: "failed"; readonly message: string };

/** What the helper has told of the end; undefined if it was killed before it could. */
export function besideEnd(report: string): BesideEnd | undefined {
  const [word, first = "", second = "", third = ""] = report.split("\n", 1)[0]?.split("\t") ?? [];
  if (word === "failed") return { type: "failed", message: `${first}: ${third} (errno ${second})` };
  if (word !== "ended") return undefined;
  const number = Number(second);
  if (number === 0) return { type: "ended", exitCode: Number(first), signal: "" };
  return { type: "ended", exitCode: 128 + number, signal: signalName(number) };
}

/** Whether this machine knows a signal of that name. */
export function isSignal(name: string): boolean {
  return Object.hasOwn(constants.signals, name);
}
