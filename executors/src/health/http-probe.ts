import { type ClientRequest, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import type { HttpTarget } from "../world/prober.ts";
import type { Dialer } from "./dialer.ts";
import type { Probe, ProbeEvents } from "./probe.ts";
import { reach, secure } from "./reach.ts";

/** Bytes of an answer that are read for the sake of a good ending; beyond, the connection is cut. */
const bodyBytesMax = 1024 * 1024;

/** Passes on an answer from 200 to 399. */
export function httpProbe(dialer: Dialer): Probe<HttpTarget> {
  return (target, _timeoutMs, events) => {
    let end = reach(target, dialer, (socket) => {
      if (socket instanceof Error) {
        events.answer(false, socket.message);
        events.closed();
        return;
      }
      const request = ask(target, socket, events);
      end = () => {
        request.destroy();
        socket.destroy();
      };
    });
    return () => end();
  };
}

function ask(target: HttpTarget, socket: Socket, { answer, closed }: ProbeEvents): ClientRequest {
  const { ip: host, port, path, method, body, tls } = target;
  const headers = { ...target.headers };
  if (body !== "") headers["content-length"] = String(Buffer.byteLength(body));
  const send = tls ? httpsRequest : httpRequest;
  const createConnection = (): Socket => secure(socket, host, tls, ["http/1.1"]);
  const request = send({ host, port, path, method, headers, createConnection }, (response) => {
    const status = response.statusCode ?? 0;
    answer(status >= 200 && status < 400, `HTTP ${status}`);
    let bytes = 0;
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bodyBytesMax) request.destroy();
    });
    response.on("error", () => {});
  });
  request.on("error", (error) => answer(false, error.message));
  socket.once("close", closed);
  request.end(body === "" ? undefined : body);
  return request;
}
