import { type IncomingMessage, request } from "node:http";

/** An Engine that has not answered by then does not work. */
export const answerTimeoutMs = 10_000;
/** Bytes of one answer. */
const answerBytesMax = 16 * 1024 * 1024;

export interface EngineAnswer {
  readonly status: number;
  readonly body: Buffer;
}

export interface EngineRequest {
  readonly method: "GET" | "POST" | "DELETE";
  /** With its query; everything in it is encoded. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Breaks it off. Default: after `answerTimeoutMs`. */
  readonly signal?: AbortSignal;
}

/** Docker's Engine API, of whichever version the Engine prefers, at its Unix socket. */
export class Engine {
  readonly socket: string;

  constructor(socket: string) {
    this.socket = socket;
  }

  /** The whole answer, whatever its status. */
  async ask(wish: EngineRequest): Promise<EngineAnswer> {
    const parts: Buffer[] = [];
    let bytes = 0;
    const status = await this.read(wish, (part) => {
      bytes += part.length;
      if (bytes > answerBytesMax) throw new Error(`the Engine's answer has more than ${answerBytesMax} bytes`);
      parts.push(part);
    });
    return { status, body: Buffer.concat(parts) };
  }

  /** The answer as it comes; gives the status when it is over. */
  read(wish: EngineRequest, take: (part: Buffer) => void): Promise<number> {
    const { method, path, headers = {}, signal = AbortSignal.timeout(answerTimeoutMs) } = wish;
    return new Promise((resolve, reject) => {
      const asked = request({ socketPath: this.socket, method, path, headers, signal, agent: false });
      asked.on("error", reject);
      asked.on("response", (answer: IncomingMessage) => {
        answer.on("data", (part: Buffer) => {
          try {
            take(part);
          } catch (error) {
            asked.destroy(error as Error);
          }
        });
        answer.on("error", reject);
        answer.on("end", () => resolve(answer.statusCode ?? 0));
      });
      asked.end();
    });
  }
}

/** What an answer that is no success says. Pure. */
export function messageOf({ status, body }: EngineAnswer): string {
  const text = body.toString("utf8").trim();
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    if (typeof message === "string") return message;
  } catch {
    // An answer of something else than an Engine, told as it is.
  }
  return `status ${status}: ${text.slice(0, 200)}`;
}
