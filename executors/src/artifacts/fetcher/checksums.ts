import { createHash, type Hash } from "node:crypto";
import { Transform, type TransformCallback } from "node:stream";
import type { Checksum } from "@muster/foundation";
import { FetchFailure } from "./fetch-failure.ts";

export type KnownSum = Extract<Checksum, { readonly hex: string }>;

/** Counts what flows through, up to a bound, and adds it up. */
export class Meter extends Transform {
  bytes = 0;
  readonly #hash: Hash | undefined;
  readonly #bytesMax: number;
  readonly #limit: string;

  /** `limit` is the name of the bound. */
  constructor(sum: KnownSum | undefined, bytesMax: number, limit: string) {
    super();
    this.#hash = sum && createHash(sum.kind);
    this.#bytesMax = bytesMax;
    this.#limit = limit;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.bytes += chunk.length;
    if (this.bytes > this.#bytesMax) {
      done(new FetchFailure(`it has more than ${this.#bytesMax} bytes (${this.#limit})`));
      return;
    }
    this.#hash?.update(chunk);
    done(null, chunk);
  }

  /** Throws unless what has flowed through is what the sum says. */
  verify(sum: KnownSum | undefined): void {
    if (sum === undefined || !this.#hash) return;
    const found = this.#hash.digest("hex");
    if (found !== sum.hex)
      throw new FetchFailure(`its ${sum.kind} checksum is ${found}, not ${sum.hex} as the job says`);
  }
}
