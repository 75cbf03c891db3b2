import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { type Answer, decode, encode, type Packet, type RecordType } from "dns-packet";
import { CliError } from "../cli-error.ts";
import { exitCode } from "../exit-codes.ts";
import { parseAddress } from "./address.ts";

const timeoutMs = 1_500;
const triesMax = 3;
/** Bit of the header that says: the answer did not fit, ask over TCP. */
const truncatedFlag = 1 << 9;
const udpBytesMax = 1_232;

export interface DnsReply {
  /** NOERROR, NXDOMAIN and so on. */
  readonly code: string;
  readonly answers: readonly Answer[];
  readonly additionals: readonly Answer[];
}

/** Asks one server one question over UDP, or TCP if told to or if the answer is too large for UDP. */
export async function askDns(server: string, name: string, type: RecordType, tcp = false): Promise<DnsReply> {
  const id = Math.floor(Math.random() * 65_536);
  const question = encode({
    type: "query",
    id,
    flags: 0,
    questions: [{ type, name, class: "IN" }],
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
  });
  const place = parseAddress(server);
  if (!place) throw new CliError(exitCode.usage, `no address of a DNS server: ${server}`);
  let cause = "no answer";
  for (let attempt = 0; attempt < triesMax; attempt++) {
    try {
      const bytes = await (tcp ? overTcp(place, question) : overUdp(place, question, id));
      const packet = decode(bytes) as Packet & { rcode?: string; flag_tc?: boolean };
      if (!tcp && ((packet.flags ?? 0) & truncatedFlag) !== 0) return askDns(server, name, type, true);
      return { code: packet.rcode ?? "NOERROR", answers: packet.answers ?? [], additionals: packet.additionals ?? [] };
    } catch (error) {
      cause = (error as Error).message;
    }
  }
  throw new CliError(exitCode.unreachable, `no DNS server at ${server} (${cause}, ${triesMax} tries)`, {
    kind: "unavailable",
    hint: "muster dev, or set MUSTER_DNS_ADDR",
  });
}

interface Place {
  readonly host: string;
  readonly port: number;
}

function overUdp(place: Place, question: Buffer, id: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(place.host.includes(":") ? "udp6" : "udp4");
    const end = (work: () => void): void => {
      clearTimeout(timer);
      socket.close();
      work();
    };
    const timer = setTimeout(() => end(() => reject(new Error("no answer"))), timeoutMs);
    socket.on("message", (bytes) => {
      // An answer to somebody else's question is none.
      if (bytes.length >= 12 && bytes.readUInt16BE(0) === id) end(() => resolve(bytes));
    });
    socket.on("error", (error) => end(() => reject(error)));
    // Connected, so that a closed port is told at once instead of after the timeout.
    socket.connect(place.port, place.host, () => socket.send(question));
  });
}

function overTcp(place: Place, question: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(place);
    let received = Buffer.alloc(0);
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error("no answer")));
    socket.on("connect", () => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(question.length);
      socket.write(Buffer.concat([length, question]));
    });
    socket.on("data", (bytes) => {
      received = Buffer.concat([received, bytes]);
      const length = received.length >= 2 ? received.readUInt16BE(0) + 2 : Number.POSITIVE_INFINITY;
      if (received.length < length) return;
      resolve(received.subarray(2, length));
      socket.destroy();
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the connection was closed")));
  });
}
