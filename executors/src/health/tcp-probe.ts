import type { TcpTarget } from "../world/prober.ts";
import type { Dialer } from "./dialer.ts";
import type { Probe } from "./probe.ts";
import { reach } from "./reach.ts";

/** Passes when the connection is accepted, and closes it in good order. */
export function tcpProbe(dialer: Dialer): Probe<TcpTarget> {
  return (target, _timeoutMs, { answer, closed }) => {
    let end = reach(target, dialer, (socket) => {
      if (socket instanceof Error) {
        answer(false, socket.message);
        closed();
        return;
      }
      end = () => socket.destroy();
      socket.on("error", () => {});
      socket.once("close", closed);
      answer(true, "connected");
      socket.resume();
      socket.end();
    });
    return () => end();
  };
}
