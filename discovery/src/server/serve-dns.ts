import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { createServer, isIPv6, type Server, type Socket } from "node:net";
import { type Log, MusterError, type Result } from "@muster/foundation";
import type { Discovery } from "../discovery.ts";
import { serveConnection } from "./tcp-connection.ts";

/** TCP connections at one time; beyond, the newest are refused. */
const tcpConnectionsMax = 1_024;
/** TCP connections of one address at one time. */
const tcpConnectionsPerPeerMax = 64;
/** Bytes of answers that wait for the kernel; beyond, answers are dropped as the network would. */
const udpQueueBytesMax = 8 * 1024 * 1024;
/** Attempts to find a port that is free for both UDP and TCP, when any will do. */
const portAttemptsMax = 10;

export interface DnsServerOptions {
  /** Address to listen on. */
  readonly address: string;
  /** For UDP and TCP; 0 takes a free one. */
  readonly port: number;
  readonly log: Log;
  /** A TCP connection without a whole question for so long is closed, in ms; 10,000 by default. */
  readonly idleMs?: number;
  /** Called once: where it listens, or why it cannot. */
  readonly listening: (result: Result<{ address: string; port: number }>) => void;
}

export interface DnsServer {
  close(done: () => void): void;
}

/** Answers DNS over UDP and TCP on one port. */
export function serveDns(discovery: Discovery, options: DnsServerOptions): DnsServer {
  let udp: UdpSocket | undefined;
  let tcp: Server | undefined;
  let isClosed = false;
  const connections = new Set<Socket>();

  const bind = (attempt: number): void => {
    if (isClosed) return;
    listen(discovery, connections, options, (error, sockets) => {
      if (sockets && !isClosed) {
        udp = sockets.udp;
        tcp = sockets.tcp;
        options.listening({ ok: true, value: { address: options.address, port: udp.address().port } });
        return;
      }
      sockets?.udp.close();
      sockets?.tcp.close();
      if (isClosed) return;
      if (options.port === 0 && attempt < portAttemptsMax) bind(attempt + 1);
      else options.listening({ ok: false, error: explain(error, options) });
    });
  };
  bind(1);

  return {
    close: (done) => {
      isClosed = true;
      udp?.close();
      for (const connection of connections) connection.destroy();
      if (tcp) tcp.close(() => done());
      else setImmediate(done);
    },
  };
}

type Listening = (error: Error | undefined, sockets?: { udp: UdpSocket; tcp: Server }) => void;

function listen(discovery: Discovery, connections: Set<Socket>, options: DnsServerOptions, done: Listening): void {
  const udp = createSocket({ type: isIPv6(options.address) ? "udp6" : "udp4" });
  const refused = (error: Error): void => {
    udp.close();
    done(error);
  };
  udp.once("error", refused);
  udp.bind({ port: options.port, address: options.address, exclusive: true }, () => {
    udp.off("error", refused);
    udp.on("error", (error) => options.log.warn({ error: error.message }, "UDP socket"));
    const tcp = createServer((socket) => accept(discovery, connections, socket, options.idleMs));
    tcp.maxConnections = tcpConnectionsMax;
    const tcpRefused = (error: Error): void => {
      udp.close();
      done(error);
    };
    tcp.once("error", tcpRefused);
    tcp.listen({ port: udp.address().port, host: options.address, exclusive: true }, () => {
      tcp.off("error", tcpRefused);
      tcp.on("error", (error) => options.log.warn({ error: error.message }, "TCP socket"));
      udp.on("message", (packet, from) => {
        const answer = discovery.answer(packet, { tcp: false, peer: from.address });
        if (answer && udp.getSendQueueSize() < udpQueueBytesMax) udp.send(answer, from.port, from.address, ignoreError);
      });
      done(undefined, { udp, tcp });
    });
  });
}

function accept(discovery: Discovery, connections: Set<Socket>, socket: Socket, idleMs?: number): void {
  const peer = socket.remoteAddress ?? "";
  let ofPeer = 0;
  for (const other of connections) if (other.remoteAddress === peer) ofPeer += 1;
  if (ofPeer >= tcpConnectionsPerPeerMax) {
    socket.destroy();
    return;
  }
  connections.add(socket);
  socket.once("close", () => connections.delete(socket));
  serveConnection(socket, (packet) => discovery.answer(packet, { tcp: true, peer }), idleMs);
}

/** An answer that cannot be sent is lost like any datagram: the client asks again. */
function ignoreError(): void {}

function explain(error: Error | undefined, { address, port }: DnsServerOptions): MusterError {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === "EADDRINUSE")
    return new MusterError("unavailable", `DNS port ${address}:${port} is in use: choose another`);
  if (code === "EACCES")
    return new MusterError(
      "forbidden",
      `DNS port ${address}:${port} needs root or CAP_NET_BIND_SERVICE: choose one over 1023`,
    );
  return new MusterError("unavailable", `DNS cannot listen on ${address}:${port}: ${error?.message ?? "closed"}`, {
    cause: error,
  });
}
