import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { type ChannelCredentials, type Client, connectivityState, credentials as insecure } from "@grpc/grpc-js";
import type { Log } from "@muster/foundation";
import { Bundle } from "./bundle.ts";
import { turnAway } from "./guard.ts";
import { MasterClients } from "./masters.ts";
import { proxy } from "./proxy.ts";
import { type Reading, relayAll } from "./relay.ts";

export interface EdgeOptions {
  /** gRPC address of the master, "host:port", or of several with commas in between. */
  readonly masterAddress: string;
  /** How to speak to the master; plain text if absent. */
  readonly credentials?: ChannelCredentials;
  /** Where to listen; host is 127.0.0.1 if absent, port 0 takes a free one. */
  readonly listen: { readonly host?: string; readonly port: number };
  /** Address of discovery's HTTP API, "host:port", to which `/v1` goes. */
  readonly dnsHttpAddress: string;
  /** Names besides localhost and the address itself by which browsers may call. */
  readonly allowedHosts?: readonly string[];
  /** Folder of the built page; the package's own if absent. */
  readonly bundleFolder?: string;
  readonly log: Log;
  /** Called once when it listens, with "host:port". */
  onListening(address: string): void;
  /** Called if it can't listen. */
  onError?(error: Error): void;
}

export interface Edge {
  /** Ends calls and connections; `done` is called when all are closed. */
  close(done: () => void): void;
}

/** Connections at once. Beyond, the kernel's are closed at once. */
export const edgeConnectionsMax = 512;
/** Milliseconds within which a request's headers must be there. */
export const headersTimeoutMs = 10_000;
/** Milliseconds within which a request must be there whole. */
export const requestTimeoutMs = 30_000;
/** Bytes of all headers of a request. */
export const headersBytesMax = 16 * 1024;

const securityHeaders: ReadonlyArray<readonly [string, string]> = [
  [
    "content-security-policy",
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
  ],
  ["x-content-type-options", "nosniff"],
  ["referrer-policy", "no-referrer"],
  ["cross-origin-opener-policy", "same-origin"],
  ["cross-origin-resource-policy", "same-origin"],
];

/** Serves the page, and to browsers, over gRPC-Web and Connect, what the master serves over gRPC. */
export function serveEdge(options: EdgeOptions): Edge {
  const { log, listen } = options;
  const host = listen.host ?? "127.0.0.1";
  const masters = new MasterClients(options.masterAddress, options.credentials ?? insecure.createInsecure());
  const bundle = new Bundle(options.bundleFolder ?? fileURLToPath(new URL("../../dist/app/", import.meta.url)));
  if (!bundle.built) log.warn({}, "the page is not built; only calls are served");
  const stopping = new AbortController();

  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptors()));
  const adapterFor = (reading: Reading) =>
    connectNodeAdapter({
      routes: (router) => relayAll(router, registry, masters, reading),
      fallback: (request, response) => fallback(request as IncomingMessage, response as ServerResponse),
      // Calls of gRPC itself belong to the master; over HTTP/1.1 they can't work anyhow.
      grpc: false,
      shutdownSignal: stopping.signal,
    });
  const answerBytes = adapterFor("bytes");
  const answerMessages = adapterFor("messages");
  const fallback = (request: IncomingMessage, response: ServerResponse): void => {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    if (request.method !== "GET" && request.method !== "HEAD")
      refuse(response, 405, "only GET and HEAD are served here");
    else if (path === "/healthz") health(response, masters.current);
    else if (path === "/v1" || path.startsWith("/v1/")) proxy(options.dnsHttpAddress, request, response, log);
    else bundle.serve(path, request, response);
  };

  const names = new Set([
    "localhost",
    "127.0.0.1",
    "[::1]",
    ...[host, ...(options.allowedHosts ?? [])].map(asHostName),
  ]);
  const server = createServer({ maxHeaderSize: headersBytesMax, noDelay: true }, (request, response) => {
    for (const [name, value] of securityHeaders) response.setHeader(name, value);
    const turned = turnAway(arrivalOf(request), names);
    if (turned === undefined) {
      const isJson = request.headers["content-type"]?.includes("json") === true;
      (isJson ? answerMessages : answerBytes)(request, response);
      return;
    }
    log.debug({ status: turned.status, host: request.headers.host }, turned.message);
    refuse(response, turned.status, turned.message);
  });
  server.maxConnections = edgeConnectionsMax;
  server.headersTimeout = headersTimeoutMs;
  server.requestTimeout = requestTimeoutMs;
  server.once("error", (error) => {
    log.error({ reason: error.message, host, port: listen.port }, "the edge can't listen");
    options.onError?.(error);
  });
  server.listen(listen.port, host, () => {
    const { address, port, family } = server.address() as AddressInfo;
    options.onListening(family === "IPv6" ? `[${address}]:${port}` : `${address}:${port}`);
  });
  return { close: (done) => close(server, masters, stopping, done) };
}

function descriptors(): Uint8Array {
  return readFileSync(createRequire(import.meta.url).resolve("@muster/proto/muster.binpb"));
}

function arrivalOf(request: IncomingMessage): Parameters<typeof turnAway>[0] {
  const { headers } = request;
  const fetchSite = headers["sec-fetch-site"];
  return {
    method: request.method ?? "GET",
    host: headers.host,
    origin: headers.origin,
    fetchSite: typeof fetchSite === "string" ? fetchSite : undefined,
    contentType: headers["content-type"],
    localAddress: request.socket.localAddress,
  };
}

function refuse(response: ServerResponse, status: number, message: string): void {
  // The body was not read: the connection can't carry another request.
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8", connection: "close" });
  response.end(`${message}\n`);
}

function health(response: ServerResponse, master: Client): void {
  const state = connectivityState[master.getChannel().getConnectivityState(false)] ?? "UNKNOWN";
  response.writeHead(200, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(`${JSON.stringify({ status: "ok", master: state.toLowerCase() })}\n`);
}

const asHostName = (name: string): string =>
  (name.includes(":") && !name.startsWith("[") ? `[${name}]` : name).toLowerCase();

function close(server: Server, masters: MasterClients, stopping: AbortController, done: () => void): void {
  stopping.abort();
  masters.close();
  server.close(() => done());
  // Calls have been told to end; what has not gone by the next turn belongs to a peer that does not read.
  server.closeIdleConnections();
  setTimeout(() => server.closeAllConnections(), 200).unref();
}
