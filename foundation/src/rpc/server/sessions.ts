import type { ServerHttp2Session } from "node:http2";
import { keepalive } from "../keepalive.ts";
import type { Peer } from "../transport.ts";

/** The connections of a server: who is at their other ends, and whether they still are. */
export class ServerSessions {
  readonly #peers = new Map<ServerHttp2Session, Peer>();

  add(session: ServerHttp2Session): void {
    const { socket } = session;
    const { remoteAddress = "unknown", remotePort } = socket;
    const address = remotePort ? `${remoteAddress}:${remotePort}` : remoteAddress;
    // On loopback nobody has to say who they are.
    this.#peers.set(session, { address, principal: "local" });
    const stop = keepAlive(session, () => socket.bytesRead);
    session.on("error", () => {});
    session.once("close", () => {
      stop();
      this.#peers.delete(session);
    });
  }

  peerOf(session: ServerHttp2Session | undefined): Peer {
    return (session && this.#peers.get(session)) ?? { address: "unknown", principal: "local" };
  }

  /** Ends all connections, and with them their calls. */
  destroy(): void {
    for (const session of this.#peers.keys()) session.destroy();
  }
}

/** Asks whether the other end is there when it was silent, and gives it up if it does not answer. */
function keepAlive(session: ServerHttp2Session, bytesRead: () => number): () => void {
  let heard = 0;
  let patience: NodeJS.Timeout | undefined;
  const timer = setInterval(() => {
    const now = bytesRead();
    if (now !== heard) {
      heard = now;
      return;
    }
    if (patience !== undefined || session.destroyed) return;
    patience = setTimeout(() => session.destroy(), keepalive.timeoutMs).unref();
    session.ping(() => {
      clearTimeout(patience);
      patience = undefined;
    });
  }, keepalive.intervalMs).unref();
  return () => {
    clearInterval(timer);
    clearTimeout(patience);
  };
}
