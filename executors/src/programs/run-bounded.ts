import { spawn } from "node:child_process";

export interface BoundedRun {
  readonly program: string;
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Given to it; absent: nothing. */
  readonly input?: string;
  /** It and all that it has started are killed when this says so. */
  readonly signal: AbortSignal;
  /** Bytes of its output; with more it is killed. */
  readonly outputBytesMax: number;
}

export interface BoundedEnd {
  /** -1: a signal ended it. */
  readonly code: number;
  /** Empty: it ended by itself. */
  readonly signal: string;
  readonly output: Buffer;
  /** The last part of what it said of errors. */
  readonly errors: string;
}

/** Of what a program says of errors the last bytes are kept. */
const errorBytesMax = 16 * 1024;

/**
 * Runs a program that may hang, print without end and leave children, in a process group of its own. Throws if it was
 * killed, or could not be run; then nobody waits for those of its children that have left its group and hold its output.
 */
export function runBounded(run: BoundedRun): Promise<BoundedEnd> {
  const { program, words, environment, input = "", signal, outputBytesMax } = run;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const child = spawn(program, [...words], { stdio: ["pipe", "pipe", "pipe"], env: environment, detached: true });
    const output: Buffer[] = [];
    let outputBytes = 0;
    let errors = "";
    const fail = (error: Error): void => {
      signal.removeEventListener("abort", abort);
      if (child.pid !== undefined) killGroup(child.pid);
      for (const stream of [child.stdout, child.stderr, child.stdin]) stream.destroy();
      reject(error);
    };
    const abort = (): void => fail(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
    child.stdout.on("data", (data: Buffer) => {
      outputBytes += data.length;
      if (outputBytes > outputBytesMax) fail(new Error(`it printed more than ${outputBytesMax} bytes; it was killed`));
      else output.push(data);
    });
    child.stderr.on("data", (data: Buffer) => {
      errors = (errors + data.toString("utf8")).slice(-errorBytesMax);
    });
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    child.on("error", (error) => fail(new Error(`it could not be run: ${error.message}`)));
    child.on("close", (code, endedBy) => {
      signal.removeEventListener("abort", abort);
      resolve({ code: code ?? -1, signal: endedBy ?? "", output: Buffer.concat(output), errors });
    });
  });
}

function killGroup(pid: number): void {
  try {
    // A negative number means its process group, which it leads.
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
