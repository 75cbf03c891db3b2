import { spawn } from "node:child_process";

/** No tool of the kernel's takes so long by itself: it hangs. */
export const toolTimeoutMs = 10_000;
/** Bytes of output that are kept of a tool. */
const outputBytesMax = 4 * 1024 * 1024;

/** Runs a program with that input; gives its output, or throws with what it said. It is killed at its deadline. */
export function runTool(
  program: string,
  words: readonly string[],
  input = "",
  timeoutMs = toolTimeoutMs,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...words], { stdio: ["pipe", "pipe", "pipe"], timeout: timeoutMs, killSignal: 9 });
    let output = "";
    let errors = "";
    child.stdout.on("data", (data) => {
      if (output.length < outputBytesMax) output += data;
    });
    child.stderr.on("data", (data) => {
      if (errors.length < outputBytesMax) errors += data;
    });
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    child.on("error", (error) => reject(new Error(`${program} could not be run: ${error.message}`)));
    child.on("close", (code, signal) => {
      if (code === 0) resolve(output);
      else if (signal !== null) reject(new Error(`${program} ${words.join(" ")}: no end within ${timeoutMs} ms`));
      else reject(new Error(`${program} ${words.join(" ")}: ${errors.trim() || `exit code ${code}`}`));
    });
  });
}
