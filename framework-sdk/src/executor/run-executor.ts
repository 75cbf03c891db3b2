import { MusterError } from "@muster/foundation";
import { nodeRuntime } from "../runtime/node-runtime.ts";
import { createExecutor } from "./executor.ts";
import type { Executor, ExecutorHandler } from "./types.ts";

export interface RunExecutorOptions {
  /** What the agent has put into the environment. Default: that of this process. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Called when it has ended. Default: the process exits with 0. */
  readonly ended?: () => void;
}

/** Runs an executor in this process, which an agent has started, until it is to end. */
export function runExecutor(handler: ExecutorHandler, options: RunExecutorOptions = {}): Executor {
  const environment = options.environment ?? process.env;
  const need = (name: string): string => {
    const value = environment[name];
    if (value) return value;
    throw new MusterError("invalid", `${name}: must be set; an executor is started by its agent`, { field: name });
  };
  const runtime = nodeRuntime({ name: "executor", logLevel: "warn" });
  const executor = createExecutor(
    runtime,
    {
      address: `unix:${need("MUSTER_AGENT_SOCKET")}`,
      frameworkId: need("MUSTER_FRAMEWORK_ID"),
      executorId: need("MUSTER_EXECUTOR_ID"),
      token: need("MUSTER_EXECUTOR_TOKEN"),
      recoveryTimeoutMs: Number(need("MUSTER_RECOVERY_TIMEOUT_MS")),
      shutdownGraceMs: Number(need("MUSTER_SHUTDOWN_GRACE_MS")),
      ended: () => {
        runtime.close();
        if (options.ended) options.ended();
        else process.exit(0);
      },
    },
    handler,
  );
  // A Ctrl-C in a terminal, or an agent that can't reach it otherwise.
  process.once("SIGTERM", () => executor.shutdown());
  executor.start();
  return executor;
}
