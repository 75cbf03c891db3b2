import type { ChildProcess } from "node:child_process";
import type { Finished } from "./dev-cluster.ts";

/** A command that runs, with what it has written so far. */
export interface Running {
  readonly child: ChildProcess;
  readonly written: { stdout: string; stderr: string };
}

/** Reads along with a command. */
export function reading(child: ChildProcess): Running {
  const written = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name]?.on("data", (bytes: Buffer) => {
      written[name] += bytes.toString("utf8");
    });
  return { child, written };
}

/** Sends a signal, and waits for the end. */
export function interrupted({ child, written }: Running, signal: NodeJS.Signals): Promise<Finished> {
  return new Promise((resolve) => {
    child.once("close", (code) => resolve({ code: code ?? -1, ...written }));
    child.kill(signal);
  });
}
