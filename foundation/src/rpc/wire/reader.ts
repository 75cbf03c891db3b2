const two32 = 2 ** 32;
/** Nested groups of a message of some later contract that are passed over; nothing of this one has any. */
const groupDepthMax = 16;
/** Short texts that are looked for among those read before. */
const knownCharactersMax = 40;
/** Places for them, a power of two: ids of some ten thousand tasks that are on their way. */
const knownTexts = 32_768;

/** What Node's buffers have and its types do not tell: a call without the checks of `toString`. */
export interface Bytes extends Buffer {
  latin1Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
}

/** What decoders share. Positions are passed along; those of the rare longer reads come back in `at`. */
export class Reader {
  /** Behind the number that `number` read. */
  at = 0;
  /** The low 32 bits of that number. */
  low = 0;
  /**
   * Texts read before, by a hash of their bytes. Most texts of a message are ids that came before: to find one costs
   * less than to make it anew, and one string for all messages that name it costs less than one for each.
   */
  readonly #known = new Array<string>(knownTexts).fill("");

  /** A number of up to 64 bits. Throws RangeError beyond the end. */
  number(bytes: Uint8Array, from: number): number {
    let at = from;
    let low = 0;
    let value = 0;
    let scale = 1;
    for (let index = 0; index < 10; index++) {
      const byte = bytes[at++];
      if (byte === undefined) truncated();
      if (index < 4) low |= (byte & 127) << (7 * index);
      else if (index === 4) low |= (byte & 15) << 28;
      value += (byte & 127) * scale;
      scale *= 128;
      if (byte < 128) {
        this.at = at;
        this.low = low;
        // The tenth byte has one bit only.
        return value < two32 * two32 ? value : value % (two32 * two32);
      }
    }
    throw new RangeError("a number is longer than 10 bytes");
  }

  /** O(length). Bytes that are no UTF-8 become U+FFFD. */
  text(bytes: Bytes, from: number, length: number): string {
    if (length === 0) return "";
    const end = from + length;
    if (length > knownCharactersMax) return bytes.utf8Slice(from, end);
    let hash = length;
    let bits = 0;
    for (let at = from; at < end; at++) {
      const byte = bytes[at] as number;
      bits |= byte;
      hash = (Math.imul(hash, 31) + byte) | 0;
    }
    if (bits > 127) return bytes.utf8Slice(from, end);
    const place = (hash ^ (hash >>> 15)) & (knownTexts - 1);
    const known = this.#known[place] as string;
    if (known.length === length) {
      let index = 0;
      while (index < length && known.charCodeAt(index) === bytes[from + index]) index++;
      if (index === length) return known;
    }
    const text = bytes.latin1Slice(from, end);
    this.#known[place] = text;
    return text;
  }

  /** Passes over a field that is not known. Throws RangeError for what no field looks like. */
  skip(bytes: Uint8Array, from: number, tag: number, depth = 0): number {
    switch (tag & 7) {
      case 0:
        this.number(bytes, from);
        return this.at;
      case 1:
        return from + 8;
      case 2: {
        const length = this.number(bytes, from);
        return this.at + length;
      }
      case 3: {
        if (depth >= groupDepthMax) throw new RangeError(`groups are nested more than ${groupDepthMax} deep`);
        for (let at = from; ; ) {
          const inner = this.number(bytes, at);
          if ((inner & 7) === 4) return this.at;
          at = this.skip(bytes, this.at, inner, depth + 1);
        }
      }
      case 5:
        return from + 4;
      default:
        throw new RangeError(`a field has the wire type ${tag & 7}, which there is not`);
    }
  }

  truncated(): never {
    return truncated();
  }
}

function truncated(): never {
  throw new RangeError("the message is cut off");
}
