const typeA = 1;
const typeSrv = 33;
const classIn = 1;
const headerBytes = 12;

/** A question for the SRV records of a name, as a DNS packet. */
export function srvQuestion(name: string): Buffer {
  const labels = name.split(".").map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  const header = Buffer.alloc(headerBytes);
  header.writeUInt16BE(1, 4);
  const tail = Buffer.from([0, 0, typeSrv, 0, classIn]);
  return Buffer.concat([header, ...labels, tail]);
}

/** The endpoints that an answer names, as "ip:port": SRV records with the addresses that come along with them. */
export function endpointsIn(packet: Uint8Array): string[] {
  const reader = new Reader(packet);
  const [, , questionCount = 0, ...recordCounts] = reader.words(6);
  for (let i = 0; i < questionCount; i++) {
    reader.name();
    reader.words(2);
  }
  const services: { target: string; port: number }[] = [];
  const addresses = new Map<string, string>();
  for (let i = recordCounts.reduce((sum, count) => sum + count, 0); i > 0; i--) {
    const owner = reader.name();
    const [type = 0] = reader.words(4);
    const [length = 0] = reader.words(1);
    const end = reader.offset + length;
    if (type === typeSrv) {
      const [, , port = 0] = reader.words(3);
      services.push({ target: reader.name(), port });
    } else if (type === typeA) addresses.set(owner, [...reader.bytes(4)].join("."));
    reader.offset = end;
  }
  return services.map(({ target, port }) => `${addresses.get(target) ?? target}:${port}`);
}

class Reader {
  offset = 0;
  readonly #packet: Buffer;

  constructor(packet: Uint8Array) {
    this.#packet = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength);
  }

  words(count: number): number[] {
    const words = Array.from({ length: count }, (_, index) => this.#packet.readUInt16BE(this.offset + 2 * index));
    this.offset += 2 * count;
    return words;
  }

  bytes(count: number): Uint8Array {
    this.offset += count;
    return this.#packet.subarray(this.offset - count, this.offset);
  }

  /** Follows pointers, which always lead back. */
  name(): string {
    const labels: string[] = [];
    let at = this.offset;
    let isBehindPointer = false;
    for (;;) {
      const length = this.#packet.readUInt8(at);
      if (length >= 0xc0) {
        if (!isBehindPointer) this.offset = at + 2;
        isBehindPointer = true;
        at = this.#packet.readUInt16BE(at) & 0x3fff;
        continue;
      }
      if (length === 0) break;
      labels.push(this.#packet.toString("latin1", at + 1, at + 1 + length).toLowerCase());
      at += 1 + length;
    }
    if (!isBehindPointer) this.offset = at + 1;
    return labels.join(".");
  }
}
