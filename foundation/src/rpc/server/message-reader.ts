import { MusterError } from "../../errors/muster-error.ts";

/** Before each message: whether it is compressed, and its length. */
export const messageHeadBytes = 5;

/**
 * Finds gRPC's messages in what arrives, in whatever pieces. O(bytes); a message that comes in many pieces is put
 * together once.
 */
export class MessageReader {
  readonly #bytesMax: number;
  /** Of a message that has not come whole. */
  #pieces: Buffer[] = [];
  #gathered = 0;
  /** Before so much is there, no look is worth while. */
  #needed = messageHeadBytes;

  /** `bytesMax`: of one message, as it comes. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /**
   * Hands on each message that is whole now, as bytes of its own: what was received is not kept alive by them.
   * @throws MusterError `too-many` for one that is longer than allowed, before it is there.
   */
  read(chunk: Buffer, take: (message: Buffer, isCompressed: boolean) => void): void {
    const bytes = this.#join(chunk);
    if (bytes === undefined) return;
    let at = 0;
    this.#needed = messageHeadBytes;
    while (bytes.length - at >= messageHeadBytes) {
      const length = bytes.readUInt32BE(at + 1);
      if (length > this.#bytesMax)
        throw new MusterError("too-many", `a message of ${length} bytes; at most ${this.#bytesMax} are taken`);
      const end = at + messageHeadBytes + length;
      if (end > bytes.length) {
        this.#needed = messageHeadBytes + length;
        break;
      }
      take(Buffer.from(bytes.subarray(at + messageHeadBytes, end)), bytes[at] !== 0);
      at = end;
    }
    if (at === bytes.length) return;
    this.#pieces = [bytes.subarray(at)];
    this.#gathered = bytes.length - at;
  }

  /** What waits and what has come, if that is enough for a look. */
  #join(chunk: Buffer): Buffer | undefined {
    if (this.#gathered === 0) return chunk;
    this.#pieces.push(chunk);
    this.#gathered += chunk.length;
    if (this.#gathered < this.#needed) return undefined;
    const bytes = Buffer.concat(this.#pieces, this.#gathered);
    this.#pieces = [];
    this.#gathered = 0;
    return bytes;
  }
}
