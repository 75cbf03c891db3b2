import { Socket } from "node:net";
import type { Log } from "@muster/foundation";
import type { Invocation } from "../command.ts";
import type { Report } from "../dev/child.ts";
import { exitCode } from "../exit-codes.ts";

/** The pipe that a supervised component shares with its supervisor. */
const pipeDescriptor = 3;
/** Ending in good order may take so long; then the process ends anyway. */
const stopTimeoutMs = 10_000;

export interface Component {
  /** Ends in good order, then calls back. */
  stop(done: () => void): void;
}

/** What a component's main is given. */
export interface Lifecycle {
  /** Everything works. */
  ready(): void;
  /** It can't work: says why, to the supervisor or on standard error, and ends the process. */
  fail(error: Error): void;
}

/**
 * Runs a component until SIGTERM, or until its supervisor is gone. Started by hand it also ends at Ctrl-C; supervised it
 * leaves that to the supervisor.
 */
export function runComponent(
  invocation: Invocation,
  log: Log,
  start: (lifecycle: Lifecycle) => Component | Promise<Component>,
): Promise<number> {
  return new Promise((resolve) => {
    const supervisor = invocation.options.flag("supervised") ? new Socket({ fd: pipeDescriptor }) : undefined;
    const tell = (report: Report): void => {
      supervisor?.write(`${JSON.stringify(report)}\n`);
    };
    let component: Component | undefined;
    let isStopping = false;
    const stop = (signal: string): void => {
      if (isStopping) return;
      isStopping = true;
      log.info({ reason: signal }, "stopping");
      setTimeout(() => resolve(exitCode.failed), stopTimeoutMs).unref();
      if (component) component.stop(() => resolve(exitCode.done));
      else resolve(exitCode.done);
    };
    const lifecycle: Lifecycle = {
      ready: () => tell({ type: "ready" }),
      fail: (error) => {
        log.error({ error }, error.message);
        tell({ type: "failed", message: error.message });
        // What was just written to the pipe has reached the kernel: writes to sockets of this kind are immediate.
        setImmediate(() => resolve(exitCode.failed));
      },
    };
    process.on("SIGTERM", () => stop("SIGTERM"));
    process.on("SIGINT", () => {
      if (supervisor === undefined) stop("SIGINT");
    });
    if (supervisor) {
      const orphaned = (): void => {
        log.warn({}, "the supervisor is gone; tasks run on");
        process.exit(exitCode.failed);
      };
      supervisor.on("end", orphaned);
      supervisor.on("error", orphaned);
      supervisor.resume();
    }
    Promise.resolve()
      .then(() => start(lifecycle))
      .then(
        (made) => {
          component = made;
        },
        (error: unknown) => lifecycle.fail(error instanceof Error ? error : new Error(String(error))),
      );
  });
}
