import { spawn } from "node:child_process";

export interface BoundedRun {
  readonly program: string;
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** It and all that it has started are killed when this says so. */
  readonly signal: AbortSignal;
  /** Bytes of its output; with more it is killed. */
  readonly outputBytesMax: number;
}

export interface BoundedEnd {
  readonly code: number;
  readonly output: Buffer;
  /** The last part of what it said of errors. */
  readonly errors: string;
}

/** Of what a program says of errors the last bytes are kept. */
const errorBytesMax = 16 * 1024;

/** Runs a program in a process group of its own; throws if it was killed, or could not be run. */
export function runBounded({ program, words, environment, signal, outputBytesMax }: BoundedRun): Promise<BoundedEnd> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const child = spawn(program, [...words], { stdio: ["ignore", "pipe", "pipe"], env: environment, detached: true });
    const output: Buffer[] = [];
    let outputBytes = 0;
    let errors = "";
    let fault: Error | undefined;
    const kill = (reason: Error): void => {
      fault ??= reason;
      if (child.pid !== undefined) killGroup(child.pid);
    };
    const abort = (): void => kill(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
    child.stdout.on("data", (data: Buffer) => {
      outputBytes += data.length;
      if (outputBytes > outputBytesMax) kill(new Error(`${program} printed more than ${outputBytesMax} bytes`));
      else output.push(data);
    });
    child.stderr.on("data", (data: Buffer) => {
      errors = (errors + data.toString("utf8")).slice(-errorBytesMax);
    });
    child.on("error", (error) => {
      fault ??= new Error(`${program} could not be run: ${error.message}`);
    });
    child.on("close", (code) => {
      signal.removeEventListener("abort", abort);
      if (fault) reject(fault);
      else resolve({ code: code ?? -1, output: Buffer.concat(output), errors });
    });
  });
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
