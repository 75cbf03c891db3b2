import { createConnection, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Cancel } from "@muster/foundation";
import type { ProbePlace, ProbeTls } from "../world/prober.ts";
import type { Dialer } from "./dialer.ts";

/** Connects to a task, by way of the dialer where its address is not the host's to reach. */
export function reach(place: ProbePlace, dialer: Dialer, done: (result: Socket | Error) => void): Cancel {
  if (place.namespace !== undefined) return dialer.dial(place, done);
  const socket = createConnection({ host: place.ip, port: place.port });
  const failed = (error: Error): void => done(error);
  socket.once("error", failed);
  socket.once("connect", () => {
    socket.off("error", failed);
    done(socket);
  });
  return () => socket.on("error", () => {}).destroy();
}

/** The same connection, encrypted if that is asked for. */
export function secure(socket: Socket, ip: string, tls: ProbeTls | undefined, protocols: readonly string[]): Socket {
  if (!tls) return socket;
  return connectTls({
    socket,
    host: ip,
    ...(tls.serverName === "" ? {} : { servername: tls.serverName }),
    rejectUnauthorized: !tls.skipsVerify,
    ALPNProtocols: [...protocols],
  });
}
