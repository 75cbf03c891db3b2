import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import type { Duplex, Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { MusterError } from "@muster/foundation";
import { execInputBytesMax } from "../agent/exec-handler.ts";
import { taskFolders } from "../agent/folders.ts";
import { sendSignal } from "../shim/processes.ts";
import type { ExecEvents, ExecQuestion, ExecRunner, ExecSession } from "../world/task-files.ts";
import { besideEnd, besideSpec } from "./beside-files.ts";
import { enter } from "./enter.ts";

const besidePath = fileURLToPath(new URL("../../shim/beside.pl", import.meta.url));
/** Bytes that are read of how a command ended. */
const reportBytesMax = 4_096;
/** A command that was told to end is given so long before its helper is killed. */
const endTimeoutMs = 5_000;

/**
 * Runs commands beside tasks, each under a helper (perl) that enters the task's surroundings under its account and with no more
 * rights, gives a terminal if one is wanted, and ends whatever the command left behind. They end with the agent's process.
 */
export function nodeExecRunner(dataFolder: string): ExecRunner {
  return {
    run: (question, events) => {
      const { work } = taskFolders(dataFolder, question.id);
      const helper = spawn("perl", [besidePath], {
        cwd: dataFolder,
        env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin" },
        detached: true,
        stdio: ["pipe", "pipe", "pipe", "pipe", "pipe"],
      });
      const session = new Session(helper, events, question);
      session.order(besideSpec(question, enter(question.pid), work));
      return session;
    },
  };
}

class Session implements ExecSession {
  readonly #helper: ChildProcess;
  readonly #hasTerminal: boolean;
  #report = "";
  #isOver = false;
  #killing: NodeJS.Timeout | undefined;

  constructor(helper: ChildProcess, events: ExecEvents, { command, terminal }: ExecQuestion) {
    this.#helper = helper;
    this.#hasTerminal = terminal !== undefined;
    (helper.stdio[4] as Readable | null)?.on("data", (bytes: Buffer) => {
      if (this.#report.length < reportBytesMax) this.#report += bytes.toString("latin1");
    });
    helper.stdout?.on("data", (bytes: Buffer) => events.stdout(bytes));
    helper.stderr?.on("data", (bytes: Buffer) => events.stderr(bytes));
    // Whoever has ended does not read any more; writing to it is then of no interest.
    for (const stream of helper.stdio) stream?.on("error", () => {});
    const fail = (why: string): void => events.failed(new MusterError("invalid", `${command[0]} can't be run: ${why}`));
    helper.on("error", (error) => {
      if (this.#finish()) events.failed(new MusterError("unsupported", `perl can't be run: ${error.message}`));
    });
    // "close" comes when the output has been read to its end, "exit" may come before.
    helper.on("close", (code, signal) => {
      if (!this.#finish()) return;
      const end = besideEnd(this.#report);
      // Whoever ends a command that has hardly begun has ended it, whatever it failed of then.
      if (end?.type === "failed" && this.#killing) events.ended(128 + constants.signals.SIGKILL, "SIGKILL");
      else if (end?.type === "failed") fail(end.message);
      else if (end?.type === "ended") events.ended(end.exitCode, end.signal);
      else events.ended(code ?? 128 + constants.signals[signal ?? "SIGKILL"], signal ?? "");
    });
  }

  order(text: string): void {
    (this.#helper.stdio[3] as Duplex | null)?.write(text);
  }

  write(bytes: Uint8Array): boolean {
    this.#helper.stdin?.write(bytes);
    return (this.#helper.stdin?.writableLength ?? 0) <= execInputBytesMax;
  }

  endInput(): void {
    this.#helper.stdin?.end();
  }

  signal(name: string): void {
    const number = constants.signals[name as NodeJS.Signals];
    if (number !== undefined) this.order(`signal ${number}\n`);
  }

  resize({ columns, rows }: { columns: number; rows: number }): void {
    if (this.#hasTerminal) this.order(`size ${columns} ${rows}\n`);
  }

  pause(): void {
    this.#helper.stdout?.pause();
    this.#helper.stderr?.pause();
  }

  resume(): void {
    this.#helper.stdout?.resume();
    this.#helper.stderr?.resume();
  }

  kill(): void {
    if (this.#isOver || this.#killing) return;
    this.order("end\n");
    // What is still to be read is read on, lest the helper wait for its reader.
    this.resume();
    this.#killing = setTimeout(() => {
      if (this.#helper.pid !== undefined) sendSignal(-this.#helper.pid, "SIGKILL");
    }, endTimeoutMs);
    this.#killing.unref();
  }

  /** True the first time. */
  #finish(): boolean {
    clearTimeout(this.#killing);
    const isFirst = !this.#isOver;
    this.#isOver = true;
    return isFirst;
  }
}
