import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from "node:http2";
import type { Socket } from "node:net";
import type { GrpcTarget } from "../world/prober.ts";
import type { Dialer } from "./dialer.ts";
import { decodeServingStatus, encodeCheckRequest, frameBytesMax } from "./grpc-health.ts";
import type { Probe, ProbeEvents } from "./probe.ts";
import { reach, secure } from "./reach.ts";

/**
 * Passes when grpc.health.v1.Health/Check answers SERVING. HTTP/2 without a gRPC library: a channel of one keeps names,
 * back-off and connections that a probe must not have, and takes no socket of ours.
 */
export function grpcProbe(dialer: Dialer): Probe<GrpcTarget> {
  return (target, timeoutMs, events) => {
    let end = reach(target, dialer, (socket) => {
      if (socket instanceof Error) {
        events.answer(false, socket.message);
        events.closed();
        return;
      }
      const session = ask(target, timeoutMs, socket, events);
      end = () => {
        session.destroy();
        socket.destroy();
      };
    });
    return () => end();
  };
}

function ask(target: GrpcTarget, timeoutMs: number, socket: Socket, events: ProbeEvents): ClientHttp2Session {
  const { ip, port, service, tls } = target;
  const { answer, closed } = events;
  const authority = `${tls ? "https" : "http"}://${ip.includes(":") ? `[${ip}]` : ip}:${port}`;
  const session = connect(authority, { createConnection: () => secure(socket, ip, tls, ["h2"]) });
  session.on("error", (error) => answer(false, error.message));
  socket.once("close", closed);
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: "POST",
    [constants.HTTP2_HEADER_PATH]: "/grpc.health.v1.Health/Check",
    "content-type": "application/grpc",
    te: "trailers",
    "grpc-timeout": `${Math.ceil(timeoutMs)}m`,
  });
  let head: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  let body = Buffer.alloc(0);
  stream.on("response", (headers) => {
    head = headers;
  });
  stream.on("trailers", (headers) => {
    trailers = headers;
  });
  stream.on("data", (chunk: Buffer) => {
    body = Buffer.concat([body, chunk]);
    if (body.length > frameBytesMax) stream.close(constants.NGHTTP2_CANCEL);
  });
  stream.on("error", (error) => answer(false, error.message));
  stream.on("close", () => {
    const { passed, message } = verdict(head, trailers, body);
    answer(passed, message);
    session.close();
  });
  stream.end(encodeCheckRequest(service));
  return session;
}

function verdict(
  head: IncomingHttpHeaders,
  trailers: IncomingHttpHeaders,
  body: Buffer,
): { passed: boolean; message: string } {
  const status = head[constants.HTTP2_HEADER_STATUS];
  if (status === undefined) return { passed: false, message: "the connection ended without an answer" };
  if (Number(status) !== 200) return { passed: false, message: `HTTP ${status}` };
  // An answer without a body carries its trailers in its head.
  const code = trailers["grpc-status"] ?? head["grpc-status"];
  if (code === undefined) return { passed: false, message: "the answer has no gRPC status" };
  if (Number(code) !== 0) {
    const detail = String(trailers["grpc-message"] ?? head["grpc-message"] ?? "");
    return { passed: false, message: `gRPC status ${code}${detail === "" ? "" : `: ${decodePercent(detail)}`}` };
  }
  const serving = decodeServingStatus(body);
  return { passed: serving === "SERVING", message: serving };
}

function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
