import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Metrics, MusterError, type Result } from "@muster/foundation";
import type { Discovery } from "../discovery.ts";
import { createFigures } from "./figures.ts";
import { enumeration, hostsOf, prometheusTargets, servicesOf } from "./views.ts";

const connectionsMax = 256;
const requestMsMax = 10_000;

export interface HttpServerOptions {
  /** Address to listen on. */
  readonly address: string;
  /** 8123 by custom; 0 takes a free one. */
  readonly port: number;
  /** Shown by /v1/version. */
  readonly version: string;
  readonly metrics: Metrics;
  /** Called once: where it listens, or why it cannot. */
  readonly listening: (result: Result<{ address: string; port: number }>) => void;
}

export interface HttpServer {
  close(done: () => void): void;
}

/** The zone for programs that speak HTTP, in the shapes of Mesos-DNS; health, readiness and metrics. */
export function serveHttp(discovery: Discovery, options: HttpServerOptions): HttpServer {
  const refreshFigures = createFigures(discovery, options.metrics);
  const routes = (path: string): Answer | undefined => {
    const [, version, kind, argument] = path.split("/");
    if (path === "/health") return { status: 200, body: "ok\n" };
    if (path === "/ready") return readiness(discovery);
    if (version !== "v1") return undefined;
    if (kind === "version" && !argument) return json(200, { Service: "muster-dns", Version: options.version, URL: "" });
    if (kind === "config" && !argument) return json(200, { Domain: discovery.domain, ...discovery.status() });
    if (kind === "enumerate" && !argument) return json(200, enumeration(discovery));
    if (kind === "hosts" && argument) return list(hostsOf(discovery, argument));
    if (kind === "services" && argument) return list(servicesOf(discovery, argument));
    // Prometheus keeps its targets on anything but 200, so that none is a list, not an error.
    if (kind === "prometheus" && argument) return json(200, prometheusTargets(discovery, argument));
    return undefined;
  };
  const server = createServer((request, response) => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      reply(response, { status: 405, body: "only GET\n" });
      return;
    }
    const path = pathOf(request);
    if (path === "/metrics") {
      refreshFigures();
      options.metrics.text().then(
        (body) => reply(response, { status: 200, body, type: "text/plain; version=0.0.4" }),
        () => reply(response, { status: 500, body: "no figures\n" }),
      );
      return;
    }
    reply(response, (path === undefined ? undefined : routes(path)) ?? { status: 404, body: "not found\n" });
  });
  server.maxConnections = connectionsMax;
  server.requestTimeout = requestMsMax;
  server.headersTimeout = requestMsMax;
  server.once("error", (error: NodeJS.ErrnoException) => {
    const where = `${options.address}:${options.port}`;
    const why = error.code === "EADDRINUSE" ? "is in use: choose another" : error.message;
    options.listening({
      ok: false,
      error: new MusterError("unavailable", `HTTP port ${where} ${why}`, { cause: error }),
    });
  });
  server.listen({ host: options.address, port: options.port, exclusive: true }, () => {
    const { address, port } = server.address() as AddressInfo;
    options.listening({ ok: true, value: { address, port } });
  });
  return {
    close: (done) => {
      server.close(() => done());
      server.closeAllConnections();
    },
  };
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly type?: string;
}

function readiness(discovery: Discovery): Answer {
  const { isReady, feedAgeMs } = discovery.status();
  if (isReady) return { status: 200, body: "ready\n" };
  return { status: 503, body: feedAgeMs === undefined ? "no snapshot yet\n" : "the master has been away too long\n" };
}

function list(items: readonly object[]): Answer {
  return json(items.length === 0 ? 404 : 200, items);
}

function json(status: number, value: unknown): Answer {
  return { status, body: `${JSON.stringify(value)}\n`, type: "application/json" };
}

function pathOf(request: IncomingMessage): string | undefined {
  try {
    const path = decodeURIComponent((request.url ?? "/").split("?")[0] ?? "/");
    return path.length > 1 ? path.replace(/\/$/, "") : path;
  } catch {
    return undefined;
  }
}

function reply(response: ServerResponse, { status, body, type = "text/plain; charset=utf-8" }: Answer): void {
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(body);
}
