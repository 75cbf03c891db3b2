import { CliError, toCliError, usageError } from "../../cli-error.ts";
import type { Invocation } from "../../command.ts";
import { type Client, message } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { type LocalTerminal, takeTerminal } from "./local-terminal.ts";

/** Bytes of our standard input that one message carries. */
const inputBytesMax = 64 * 1024;

export interface ExecTarget {
  readonly frameworkId: string;
  readonly taskId: string;
  /** What people call it, for instance the instance of a job. */
  readonly name: string;
  readonly command: readonly string[];
}

/** Runs a command beside a task with this process's input and output; gives the command's exit code. */
export function runBeside(client: Client, invocation: Invocation, target: ExecTarget): Promise<number> {
  const { out } = invocation;
  const tty = wantsTerminal(invocation);
  const environment = variablesOf(invocation, tty);
  const { frameworkId, taskId, command } = target;
  let collected = { stdout: "", stderr: "" };
  let terminal: LocalTerminal | undefined;
  return new Promise<number>((resolve, reject) => {
    let code: number | undefined;
    const outlet = client.open("Tasks.Exec", {
      receive: ({ stdout, stderr, end }) => {
        if (out.json) {
          collected = {
            stdout: collected.stdout + stdout.toString(),
            stderr: collected.stderr + stderr.toString(),
          };
        } else {
          if (stdout.length > 0) process.stdout.write(stdout);
          if (stderr.length > 0) process.stderr.write(stderr);
        }
        if (end) code = end.exitCode;
      },
      drained: () => process.stdin.resume(),
      closed: (error) => {
        terminal?.restore();
        process.stdin.pause();
        if (code === undefined) {
          const cause = error === undefined ? "the connection ended" : toCliError(error).message;
          reject(error ?? new CliError(exitCode.failed, `the command's end is not known: ${cause}`));
          return;
        }
        out.data({ instance: target.name, task: taskId, exitCode: code, ...collected });
        resolve(code);
      },
    });
    if (tty) terminal = takeTerminal((resize) => outlet.send(message("ExecRequest", { resize })));
    const start = { frameworkId, taskId, command: [...command], tty, size: terminal?.size() ?? null, environment };
    outlet.send(message("ExecRequest", { start }));
    const forward = (signal: "SIGINT" | "SIGTERM"): void => outlet.send(message("ExecRequest", { signal }));
    process.on("SIGINT", () => forward("SIGINT"));
    process.on("SIGTERM", () => forward("SIGTERM"));
    // The window was closed: what ran in it goes, as it would have here.
    if (tty) process.on("SIGHUP", () => outlet.end());
    // At a terminal nobody expects a command without a tty to take the keyboard away, unless it reads.
    process.stdin.on("data", (bytes: Buffer) => {
      for (let at = 0; at < bytes.length; at += inputBytesMax)
        outlet.send(message("ExecRequest", { stdin: bytes.subarray(at, at + inputBytesMax) }));
      if (!outlet.ready()) process.stdin.pause();
    });
    process.stdin.on("end", () => outlet.send(message("ExecRequest", { stdinEnd: true })));
    process.stdin.on("error", () => outlet.send(message("ExecRequest", { stdinEnd: true })));
  });
}

/** As asked for; else where a person sits at both ends. */
function wantsTerminal({ options, out }: Invocation): boolean {
  const asked = options.flag("tty");
  if (asked && out.json) throw usageError("--tty can't be had with --json: a terminal's output is no data");
  if (asked || options.flag("pipe") || out.json) return asked;
  return process.stdin.isTTY === true && process.stdout.isTTY === true;
}

function variablesOf({ options, environment }: Invocation, tty: boolean): Record<string, string> {
  const variables: Record<string, string> = {};
  // Without it editors and pagers take the terminal for a teletype.
  if (tty) variables["TERM"] = environment["TERM"] || "xterm";
  for (const pair of options.list("env")) {
    const equals = pair.indexOf("=");
    if (equals < 1) throw usageError(`--env needs name=value, not "${pair}"`);
    variables[pair.slice(0, equals)] = pair.slice(equals + 1);
  }
  return variables;
}
