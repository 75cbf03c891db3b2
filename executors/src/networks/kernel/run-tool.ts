import { spawn } from "node:child_process";

/** No tool of the kernel's takes so long by itself: it hangs. */
export const toolTimeoutMs = 10_000;
/** Bytes of output that are kept of a tool. */
const outputBytesMax = 4 * 1024 * 1024;

export interface ToolEnd {
  readonly output: string;
  readonly errors: string;
  readonly code: number;
  /** Why it did not come to an end of its own; undefined if it did. */
  readonly fault: string | undefined;
}

/** Runs a program with that input; gives its output, or throws with what it said. It is killed at its deadline. */
export async function runTool(
  program: string,
  words: readonly string[],
  input = "",
  timeoutMs = toolTimeoutMs,
): Promise<string> {
  const { output, errors, code, fault } = await runToEnd(program, words, input, timeoutMs);
  if (fault !== undefined) throw new Error(fault);
  if (code !== 0) throw new Error(`${program} ${words.join(" ")}: ${errors.trim() || `exit code ${code}`}`);
  return output;
}

/** Runs a program with that input, and says how it ended. It is killed at its deadline. */
export function runToEnd(
  program: string,
  words: readonly string[],
  input = "",
  timeoutMs = toolTimeoutMs,
): Promise<ToolEnd> {
  return new Promise((resolve) => {
    const child = spawn(program, [...words], { stdio: ["pipe", "pipe", "pipe"], timeout: timeoutMs, killSignal: 9 });
    let output = "";
    let errors = "";
    const end = (code: number, fault: string | undefined): void => resolve({ output, errors, code, fault });
    child.stdout.on("data", (data) => {
      if (output.length < outputBytesMax) output += data;
    });
    child.stderr.on("data", (data) => {
      if (errors.length < outputBytesMax) errors += data;
    });
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    child.on("error", (error) => end(-1, `${program} could not be run: ${error.message}`));
    child.on("close", (code, signal) => {
      if (signal === null) end(code ?? -1, undefined);
      else end(-1, `${program} ${words.join(" ")}: no end within ${timeoutMs} ms`);
    });
  });
}
