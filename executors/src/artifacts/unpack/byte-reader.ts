/** Reads a stream piece by piece, of just the size that is asked for. */
export class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** So many bytes; fewer only at the end. */
  async exactly(size: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (let missing = size; missing > 0; ) {
      const piece = await this.upTo(missing);
      if (piece.length === 0) break;
      pieces.push(piece);
      missing -= piece.length;
    }
    return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
  }

  /** What is there next, at most so many bytes; none at the end. */
  async upTo(size: number): Promise<Buffer> {
    while (this.#rest.length === 0) {
      const next = await this.#source.next();
      if (next.done) return Buffer.alloc(0);
      this.#rest = next.value;
    }
    const piece = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(piece.length);
    return piece;
  }

  async skip(size: number): Promise<void> {
    for (let missing = size; missing > 0; ) {
      const piece = await this.upTo(missing);
      if (piece.length === 0) return;
      missing -= piece.length;
    }
  }

  /** The next bytes, which must be read to their end before anything else is. Throws if they break off. */
  async *content(size: number, brokenOff: () => Error): AsyncGenerator<Buffer> {
    for (let missing = size; missing > 0; ) {
      const piece = await this.upTo(missing);
      if (piece.length === 0) throw brokenOff();
      missing -= piece.length;
      yield piece;
    }
  }
}
