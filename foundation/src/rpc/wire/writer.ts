const bytesAtFirst = 64 * 1024;
/** A buffer that one large message has made larger than this is not kept for the next. */
const bytesKeptMax = 1024 * 1024;
/** Up to so many characters a loop is faster than the call into native code. */
const loopCharactersMax = 48;
const two28 = 2 ** 28;
const two32 = 2 ** 32;

/**
 * Where encoders write, one message after another, into one buffer that grows. Positions are passed along rather than
 * kept: they live in registers. Whoever writes has made room before; what writes a length or text makes room for what
 * it writes and for `reserve` bytes behind it, so that the numbers that follow need not ask.
 */
export class Writer {
  buffer = Buffer.allocUnsafeSlow(bytesAtFirst);

  /** Makes room for so many bytes from `at`. The buffer may be another one afterwards. */
  room(at: number, bytes: number): Buffer {
    if (at + bytes > this.buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(at + bytes, this.buffer.length * 2));
      this.buffer.copy(larger, 0, 0, at);
      this.buffer = larger;
    }
    return this.buffer;
  }

  /** What was written from the beginning, as a buffer of its own. */
  take(end: number): Buffer {
    const message = Buffer.allocUnsafe(end);
    this.buffer.copy(message, 0, 0, end);
    if (this.buffer.length > bytesKeptMax) this.buffer = Buffer.allocUnsafeSlow(bytesAtFirst);
    return message;
  }

  /** A whole number of up to 64 bits, at most 10 bytes; there is room already. */
  number(at: number, value: number): number {
    const { buffer } = this;
    let position = at;
    let rest = value;
    if (!(rest >= 0)) {
      if (rest < 0) return this.#negative(at, rest);
      rest = 0;
    }
    while (rest >= two32) {
      const low = rest % two28;
      buffer[position++] = (low & 127) | 128;
      buffer[position++] = ((low >>> 7) & 127) | 128;
      buffer[position++] = ((low >>> 14) & 127) | 128;
      buffer[position++] = ((low >>> 21) & 127) | 128;
      rest = Math.floor(rest / two28);
    }
    rest >>>= 0;
    while (rest > 127) {
      buffer[position++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    buffer[position++] = rest;
    return position;
  }

  /** In two's complement of 64 bits, as the format has it for numbers of 32 bits too. */
  #negative(at: number, value: number): number {
    let rest = BigInt.asUintN(64, BigInt(Math.trunc(value)));
    let position = at;
    while (rest > 127n) {
      this.buffer[position++] = Number(rest & 127n) | 128;
      rest >>= 7n;
    }
    this.buffer[position++] = Number(rest);
    return position;
  }

  /** Text with its length before it. */
  text(at: number, value: string, reserve: number): number {
    const { length } = value;
    const buffer = this.room(at, 3 * length + 5 + reserve);
    if (length <= loopCharactersMax) {
      let position = at + 1;
      let index = 0;
      for (; index < length; index++) {
        const code = value.charCodeAt(index);
        if (code > 127) break;
        buffer[position++] = code;
      }
      if (index === length) {
        buffer[at] = length;
        return position;
      }
    }
    // Mostly it has as many bytes as characters; if not, it is moved.
    const start = at + sizeOfLength(length);
    return this.close(at, start, start + buffer.write(value, start), 0);
  }

  /** Bytes with their length before them. */
  bytes(at: number, value: Uint8Array, reserve: number): number {
    const { length } = value;
    const buffer = this.room(at, length + 5 + reserve);
    const start = this.number(at, length);
    buffer.set(value, start);
    return start + length;
  }

  /**
   * Puts before what was written from `start` to `end` its length, at `at`. If too much or too little room was left for
   * that, what was written is moved. Gives back where it ends; `reserve` bytes of room are behind it.
   */
  close(at: number, start: number, end: number, reserve: number): number {
    const length = end - start;
    const buffer = this.room(end, 4 + reserve);
    const size = sizeOfLength(length);
    if (at + size !== start) buffer.copyWithin(at + size, start, end);
    this.number(at, length);
    return at + size + length;
  }
}

/** Bytes that a length takes. */
function sizeOfLength(length: number): number {
  if (length < 128) return 1;
  if (length < 16_384) return 2;
  return length < 2_097_152 ? 3 : 4;
}
