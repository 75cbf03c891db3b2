import { type IncomingMessage, request as open, type ServerResponse } from "node:http";
import type { Log } from "@muster/foundation";

/** Milliseconds within which the other side must begin to answer. */
export const proxyTimeoutMs = 5_000;

/** Hands a GET or HEAD on to the HTTP API of discovery, and its answer back. Nothing of the caller's but the path goes along. */
export function proxy(address: string, request: IncomingMessage, response: ServerResponse, log: Log): void {
  const target = new URL(`http://${address}`);
  const fail = (reason: string): void => {
    log.debug({ address, reason }, "the HTTP API of discovery does not answer");
    if (response.headersSent) {
      response.destroy();
      return;
    }
    response.writeHead(502, { "content-type": "application/json" });
    response.end(`${JSON.stringify({ error: `discovery at ${address} does not answer (${reason})` })}\n`);
  };
  const onward = open(
    {
      host: target.hostname.replace(/^\[|\]$/g, ""),
      port: target.port,
      path: request.url ?? "/",
      method: request.method ?? "GET",
      headers: { accept: request.headers.accept ?? "*/*" },
      timeout: proxyTimeoutMs,
    },
    (answer) => {
      const type = answer.headers["content-type"] ?? "application/octet-stream";
      response.writeHead(answer.statusCode ?? 502, { "content-type": type, "cache-control": "no-store" });
      answer.pipe(response);
      answer.once("error", () => response.destroy());
    },
  );
  onward.once("timeout", () => onward.destroy(new Error(`no answer within ${proxyTimeoutMs} ms`)));
  onward.once("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
  response.once("close", () => onward.destroy());
  onward.end();
}
