import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { createConnection } from "node:net";
import type { ProbeResult, Prober, ProbeTarget } from "../world/prober.ts";

/** Bytes of an answer that are read for the sake of a good ending; beyond, the connection is cut. */
const bodyBytesMax = 1024 * 1024;

/**
 * Asks tasks by http and tcp from the host. Once there is an answer the connection is closed in good order, since a
 * reset would be an error to servers that take no care; at the timeout nothing is left of it.
 */
export const nodeProber: Prober = {
  probe: (target, timeoutMs, done) => {
    let isOver = false;
    const answer = (passed: boolean, message: string): void => {
      if (isOver) return;
      isOver = true;
      done({ passed, message });
    };
    const closed = (): void => clearTimeout(timer);
    const destroy = target.type === "tcp" ? probeTcp(target, answer, closed) : probeHttp(target, answer, closed);
    const timer = setTimeout(() => {
      destroy();
      answer(false, `no answer within ${timeoutMs} ms`);
    }, timeoutMs);
    return () => {
      isOver = true;
      clearTimeout(timer);
      destroy();
    };
  },
};

type Answer = (passed: ProbeResult["passed"], message: string) => void;

function probeTcp({ ip, port }: ProbeTarget, answer: Answer, closed: () => void): () => void {
  const socket = createConnection({ host: ip, port });
  socket.once("connect", () => {
    answer(true, "connected");
    socket.resume();
    socket.end();
  });
  socket.on("error", (error) => answer(false, error.message));
  socket.on("close", closed);
  return () => socket.destroy();
}

function probeHttp(target: Extract<ProbeTarget, { type: "http" }>, answer: Answer, closed: () => void): () => void {
  const { ip: host, port, path, method, headers } = target;
  const options = { host, port, path, method, headers, agent: false, rejectUnauthorized: false };
  const request = (target.scheme === "https" ? httpsRequest : httpRequest)(options, (response) => {
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
  request.on("close", closed);
  request.end();
  return () => request.destroy();
}
