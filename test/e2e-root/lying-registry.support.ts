import { readdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";
import { type Layout, sha256 } from "./images.support.ts";

/** Answers a request in place of the truth; gives false where the truth is to be told. */
export type Lie = (path: string, response: ServerResponse, request: IncomingMessage) => boolean;

/** A registry that serves a layout over http, honestly unless it is told to lie. */
export class LyingRegistry {
  address = "";
  lie: Lie = () => false;
  /** Paths that were asked for. */
  readonly asked: string[] = [];
  readonly #layout: Layout;
  readonly #server: Server;

  constructor(layout: Layout) {
    this.#layout = layout;
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  start(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.listen(0, "127.0.0.1", () => {
        this.address = `127.0.0.1:${(this.#server.address() as { port: number }).port}`;
        resolve();
      });
    });
  }

  reset(): void {
    this.lie = () => false;
    this.asked.length = 0;
    this.#server.closeAllConnections();
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  blobsAsked(): string[] {
    return this.asked.filter((path) => path.includes("/blobs/"));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? "";
    this.asked.push(path);
    if (this.lie(path, response, request)) return;
    if (path === "/v2/") {
      response.end("{}");
      return;
    }
    const [, kind, reference = ""] = /\/(manifests|blobs)\/(.+)$/.exec(path) ?? [];
    const bytes = kind === "manifests" ? this.#manifest(reference) : this.#read(reference);
    if (!bytes) {
      response.writeHead(404, { "content-type": "application/json" });
      response.end(JSON.stringify({ errors: [{ code: kind === "manifests" ? "MANIFEST_UNKNOWN" : "BLOB_UNKNOWN" }] }));
      return;
    }
    const type = kind === "manifests" ? JSON.parse(bytes.toString()).mediaType : "application/octet-stream";
    response.writeHead(200, {
      "content-type": type,
      "content-length": bytes.length,
      "docker-content-digest": sha256(bytes),
    });
    response.end(bytes);
  }

  #manifest(reference: string): Buffer | undefined {
    if (reference.startsWith("sha256:")) return this.#read(reference);
    const { manifests } = JSON.parse(readFileSync(join(this.#layout.folder, "index.json"), "utf8")) as {
      manifests: { digest: string; annotations: Record<string, string> }[];
    };
    const found = manifests.find(({ annotations }) => annotations["org.opencontainers.image.ref.name"] === reference);
    return found && this.#read(found.digest);
  }

  #read(digest: string): Buffer | undefined {
    try {
      return readFileSync(this.#layout.path(digest));
    } catch {
      return undefined;
    }
  }
}

/** Fetching programs of an agent that are alive, by their command lines. */
export function skopeoOf(dataFolder: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => commandOf(pid))
    .filter((command) => command.startsWith("skopeo") && command.includes(dataFolder));
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}
