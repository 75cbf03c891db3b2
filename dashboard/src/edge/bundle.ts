import { readdirSync, readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, relative, sep } from "node:path";
import { gzipSync } from "node:zlib";

interface Asset {
  readonly type: string;
  readonly plain: Buffer;
  readonly zipped: Buffer;
  /** Its name holds a hash of its content: it never changes. */
  readonly immutable: boolean;
}

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".webmanifest": "application/manifest+json",
};

/** The page's files, read once: nothing that a request says becomes a path. */
export class Bundle {
  readonly #assets = new Map<string, Asset>();

  /** @param folder where the built page is; empty or missing means that it was not built */
  constructor(folder: string) {
    for (const path of filesOf(folder)) {
      const type = types[extname(path)];
      if (type === undefined) continue;
      const plain = readFileSync(path);
      const name = `/${relative(folder, path).split(sep).join("/")}`;
      this.#assets.set(name, { type, plain, zipped: gzipSync(plain), immutable: name.startsWith("/assets/") });
    }
    const page = this.#assets.get("/index.html");
    if (page !== undefined) this.#assets.set("/", page);
  }

  get built(): boolean {
    return this.#assets.has("/");
  }

  /** Answers with the file of that name, or with 404; 503 if the page was not built. */
  serve(path: string, request: IncomingMessage, response: ServerResponse): void {
    const asset = this.#assets.get(path);
    if (asset === undefined) {
      const status = this.built ? 404 : 503;
      response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
      response.end(this.built ? "there is nothing of that name\n" : "the page is not built yet; run: npm run build\n");
      return;
    }
    const zip = /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
    const body = zip ? asset.zipped : asset.plain;
    response.writeHead(200, {
      "content-type": asset.type,
      "content-length": body.length,
      "cache-control": asset.immutable ? "public, max-age=31536000, immutable" : "no-cache",
      vary: "accept-encoding",
      ...(zip ? { "content-encoding": "gzip" } : {}),
    });
    response.end(request.method === "HEAD" ? undefined : body);
  }
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  } catch {
    return [];
  }
}
