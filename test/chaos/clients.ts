import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { decode, encode, type Packet, streamEncode } from "dns-packet";

/** A machine under load may keep a client waiting; longer is a failure of the service. */
const answerTimeoutMs = 3_000;
const httpEveryMs = 150;
const dnsEveryMs = 20;
/** More failures than these tell nothing new. */
const errorsKeptMax = 50;
/** What a client says it takes over UDP; longer answers are asked for again over TCP. */
const udpBytesMax = 1_232;
const truncatedFlag = 1 << 9;

/** An instance of the service: where it answers, and as which process. */
export interface Place {
  readonly id: string;
  readonly port: number;
  readonly pid: number;
}

/** Clients of a service that ask all the time and keep what went wrong. */
export class Clients {
  readonly errors: string[] = [];
  httpCount = 0;
  dnsCount = 0;
  #isOver = false;
  readonly #loops: Promise<void>[] = [];
  readonly #beganMs = Date.now();

  /** Asks each instance over HTTP, again and again: the same process must answer every time. */
  http(places: readonly Place[]): void {
    places.forEach((place, index) => {
      this.#loop(`http ${place.id}`, httpEveryMs, (index * httpEveryMs) / places.length, async () => {
        this.httpCount++;
        const body = await askHttp(place.port);
        if (body !== `pid ${place.pid}`) throw new Error(`answered "${body}" instead of pid ${place.pid}`);
      });
    });
  }

  /** Asks one DNS server for the SRV records of a name: all ports, none else, every time. */
  dns(server: string, name: string, ports: readonly number[]): void {
    const expected = [...ports].sort((a, b) => a - b).join(" ");
    this.#loop(`dns ${server}`, dnsEveryMs, 0, async () => {
      this.dnsCount++;
      const answer = await askSrvPorts(server, name);
      if (answer.join(" ") !== expected)
        throw new Error(
          `${answer.length} of ${ports.length} names; missing ${ports.filter((p) => !answer.includes(p))}`,
        );
    });
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
  }

  #loop(what: string, everyMs: number, firstMs: number, ask: () => Promise<void>): void {
    const go = async (): Promise<void> => {
      await pause(firstMs);
      while (!this.#isOver) {
        const askedMs = Date.now();
        await ask().catch((error: Error) => this.#failed(`${what}: ${error.message}`));
        await pause(Math.max(1, askedMs + everyMs - Date.now()));
      }
    };
    this.#loops.push(go());
  }

  #failed(text: string): void {
    if (this.errors.length < errorsKeptMax) this.errors.push(`${Date.now() - this.#beganMs} ms ${text}`);
  }
}

/** The body of what answers GET / on a port of this machine. */
function askHttp(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(port, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\nHost: task\r\n\r\n"));
    socket.setTimeout(answerTimeoutMs, () => socket.destroy(new Error(`no answer within ${answerTimeoutMs} ms`)));
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
    });
    socket.on("error", reject);
    socket.on("close", () => {
      const [head = "", body = ""] = text.split("\r\n\r\n");
      if (head.startsWith("HTTP/1.1 200 ")) resolve(body);
      else reject(new Error(`answered "${head.slice(0, 80)}"`));
    });
  });
}

let nextId = 1;

/** Ports of the SRV records of a name, in order; over UDP, and over TCP if they do not fit. Rejects on any error code. */
export async function askSrvPorts(server: string, name: string): Promise<number[]> {
  const packet: Packet = {
    type: "query",
    id: nextId++ & 0xffff,
    questions: [{ type: "SRV", name }],
    additionals: [
      {
        type: "OPT",
        name: ".",
        udpPayloadSize: udpBytesMax,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ],
  };
  const [host = "", port = ""] = server.split(":");
  let reply = decode(await overUdp(host, Number(port), encode(packet)));
  if (((reply.flags ?? 0) & truncatedFlag) !== 0)
    reply = decode((await overTcp(host, Number(port), streamEncode(packet))).subarray(2));
  const { rcode } = reply as unknown as { rcode: string };
  if (rcode !== "NOERROR") throw new Error(rcode);
  const ports = (reply.answers ?? []).map((answer) => (answer as unknown as { data: { port: number } }).data.port);
  return ports.sort((a, b) => a - b);
}

function overUdp(host: string, port: number, question: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket("udp4");
    const end = (work: () => void): void => {
      clearTimeout(timer);
      socket.close();
      work();
    };
    const timer = setTimeout(() => end(() => reject(new Error("no answer over UDP"))), answerTimeoutMs);
    socket.on("message", (bytes) => end(() => resolve(bytes)));
    socket.on("error", (error) => end(() => reject(error)));
    // Connected, so that a closed port is told at once instead of after the timeout.
    socket.connect(port, host, () => socket.send(question));
  });
}

function overTcp(host: string, port: number, question: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const socket = connect(port, host, () => socket.write(question));
    socket.setTimeout(answerTimeoutMs, () => socket.destroy(new Error("no answer over TCP")));
    socket.on("data", (bytes) => {
      received = Buffer.concat([received, bytes]);
      if (received.length < 2 || received.length < received.readUInt16BE(0) + 2) return;
      resolve(received);
      socket.destroy();
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the connection was closed")));
  });
}

export function pause(forMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, forMs));
}
