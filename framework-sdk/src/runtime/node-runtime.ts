import { createLog, grpcTransport, type LogLevel, systemClock, systemRandom } from "@muster/foundation";
import type { Runtime } from "./runtime.ts";

export interface NodeRuntime extends Runtime {
  /** Ends every connection, so that the process can exit. */
  close(): void;
}

/** The real world: this machine's clock and chance, gRPC, JSON log lines on standard error. */
export function nodeRuntime(options: { name?: string; logLevel?: LogLevel } = {}): NodeRuntime {
  const transport = grpcTransport();
  const log = createLog({ component: options.name ?? "framework", level: options.logLevel ?? "info" });
  return { clock: systemClock, random: systemRandom, transport, log, close: () => transport.close() };
}
