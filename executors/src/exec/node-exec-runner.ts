import { spawn } from "node:child_process";
import { constants } from "node:os";
import { MusterError } from "@muster/foundation";
import { execInputBytesMax } from "../agent/exec-handler.ts";
import { taskFolders } from "../agent/folders.ts";
import { findAccount } from "../shim/accounts.ts";
import { sendSignal } from "../shim/processes.ts";
import type { ExecRunner, ExecSession } from "../world/task-files.ts";

/** Runs commands over pipes, each as leader of its own group of processes. They end with the agent's process. */
export function nodeExecRunner(dataFolder: string): ExecRunner {
  return {
    run: ({ id, command, environment, user }, events) => {
      const account = user === "" ? undefined : findAccount(user);
      const child = spawn(command[0] ?? "", command.slice(1), {
        cwd: taskFolders(dataFolder, id).work,
        env: { ...environment },
        detached: true,
        stdio: "pipe",
        ...(account ? { uid: account.uid, gid: account.gid } : {}),
      });
      let isOver = false;
      child.on("error", (error) => {
        if (isOver) return;
        isOver = true;
        events.failed(new MusterError("invalid", `${command[0]} can't be run: ${error.message}`));
      });
      // "close" comes when the output has been read to its end, "exit" may come before.
      child.on("close", (code, signal) => {
        if (isOver) return;
        isOver = true;
        const number = signal === null ? 0 : constants.signals[signal];
        events.ended(code ?? 128 + number, signal ?? "");
      });
      child.stdout.on("data", (bytes: Buffer) => events.stdout(bytes));
      child.stderr.on("data", (bytes: Buffer) => events.stderr(bytes));
      // A command that does not read its input closes it; writing to it is then of no interest.
      child.stdin.on("error", () => {});
      return sessionOf(child, () => isOver);
    },
  };
}

function sessionOf(child: ReturnType<typeof spawn>, isOver: () => boolean): ExecSession {
  const send = (signal: string): void => {
    if (child.pid !== undefined && !isOver()) sendSignal(-child.pid, signal);
  };
  return {
    write: (bytes) => {
      child.stdin?.write(bytes);
      return (child.stdin?.writableLength ?? 0) <= execInputBytesMax;
    },
    endInput: () => child.stdin?.end(),
    signal: send,
    pause: () => {
      child.stdout?.pause();
      child.stderr?.pause();
    },
    resume: () => {
      child.stdout?.resume();
      child.stderr?.resume();
    },
    kill: () => send("SIGKILL"),
  };
}
