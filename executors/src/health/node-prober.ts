import type { Cancel } from "@muster/foundation";
import type { Prober, ProbeTarget } from "../world/prober.ts";
import { Dialer } from "./dialer.ts";
import type { DialerOptions } from "./dialer-process.ts";
import { grpcProbe } from "./grpc-probe.ts";
import { httpProbe } from "./http-probe.ts";
import type { ProbeEvents } from "./probe.ts";
import { scriptProbe } from "./script-probe.ts";
import { tcpProbe } from "./tcp-probe.ts";

export interface NodeProber extends Prober {
  /** Of the helper process; undefined while there is none. */
  readonly helperPid: number | undefined;
}

/**
 * Asks tasks from the host, and through one helper process where the host can't reach them. Once there is an answer the
 * connection is closed in good order, since a reset would be an error to servers that take no care; at the timeout
 * nothing is left of it.
 */
export function nodeProber(options: DialerOptions): NodeProber {
  const dialer = new Dialer(options);
  const begin = beginWith(dialer, options.dataFolder);
  return {
    get helperPid() {
      return dialer.pid;
    },
    probe: (target, timeoutMs, done) => {
      let isOver = false;
      const answer = (passed: boolean, message: string): void => {
        if (isOver) return;
        isOver = true;
        done({ passed, message });
      };
      const end = begin(target, timeoutMs, { answer, closed: () => clearTimeout(timer) });
      const timer = setTimeout(() => {
        end();
        answer(false, `no answer within ${timeoutMs} ms`);
      }, timeoutMs);
      return () => {
        isOver = true;
        clearTimeout(timer);
        end();
      };
    },
    stop: () => dialer.stop(),
  };
}

function beginWith(
  dialer: Dialer,
  dataFolder: string,
): (target: ProbeTarget, timeoutMs: number, events: ProbeEvents) => Cancel {
  const tcp = tcpProbe(dialer);
  const http = httpProbe(dialer);
  const grpc = grpcProbe(dialer);
  const script = scriptProbe(dialer, dataFolder);
  return (target, timeoutMs, events) => {
    switch (target.type) {
      case "tcp":
        return tcp(target, timeoutMs, events);
      case "http":
        return http(target, timeoutMs, events);
      case "grpc":
        return grpc(target, timeoutMs, events);
      case "script":
        return script(target, timeoutMs, events);
    }
  };
}
