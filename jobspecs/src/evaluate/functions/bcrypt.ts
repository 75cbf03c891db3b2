import { stringValue } from "../value.ts";
import { FunctionFailure, type FunctionTable, integerOf, textOf } from "./kit.ts";

/** Rounds are 2 to this power; each one more doubles the time, of which 10 takes some 60 ms. */
export const bcryptCostMax = 12;

const rounds = 16;

/** Steps of the compilation that one power of two takes: one hash of cost 10 and no more than three. */
const stepsPerRound = 60;

export const passwordFunctions: FunctionTable = {
  bcrypt: {
    min: 1,
    max: 2,
    run: (args, around) => {
      const cost = args.length > 1 ? integerOf(args, 1) : 10;
      if (cost < 4 || cost > bcryptCostMax) throw new FunctionFailure(`the cost is 4 to ${bcryptCostMax}`, 1);
      if (new TextEncoder().encode(textOf(args, 0)).length > 72)
        throw new FunctionFailure("a password has at most 72 bytes");
      if (around.effort.stepsLeft < stepsPerRound * 2 ** cost)
        throw new FunctionFailure("too many passwords are to be hashed in one file");
      around.effort.stepsLeft -= stepsPerRound * 2 ** cost;
      return stringValue(bcrypt(textOf(args, 0), cost, around.randomBytes(16)));
    },
  },
};

/** The hash in its usual form, `$2a$10$` with salt and digest. */
export function bcrypt(password: string, cost: number, salt: Uint8Array): string {
  const key = Uint8Array.from([...new TextEncoder().encode(password), 0]);
  const cipher = new Cipher();
  cipher.expand(key, salt);
  for (let count = 2 ** cost; count > 0; count--) {
    cipher.expand(key);
    cipher.expand(salt);
  }
  const words = Uint32Array.from([0x4f727068, 0x65616e42, 0x65686f6c, 0x64657253, 0x63727944, 0x6f756274]);
  for (let at = 0; at < words.length; at += 2) for (let count = 0; count < 64; count++) cipher.encrypt(words, at);
  const digest = new Uint8Array(24);
  const view = new DataView(digest.buffer);
  for (const [at, word] of words.entries()) view.setUint32(at * 4, word);
  return `$2a$${String(cost).padStart(2, "0")}$${encode(salt)}${encode(digest.subarray(0, 23))}`;
}

const alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** bcrypt's own base 64, without padding. */
function encode(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const [a = 0, b = 0, c = 0] = bytes.subarray(at, at + 3);
    const signs = [a >> 2, ((a & 3) << 4) | (b >> 4), ((b & 15) << 2) | (c >> 6), c & 63];
    text += signs
      .slice(0, Math.min(3, bytes.length - at) + 1)
      .map((sign) => alphabet[sign])
      .join("");
  }
  return text;
}

/** Blowfish with the key schedule of bcrypt. */
class Cipher {
  readonly #p: Uint32Array;
  readonly #s: Uint32Array;

  constructor() {
    this.#p = piWords().slice(0, rounds + 2);
    this.#s = piWords().slice(rounds + 2);
  }

  encrypt(words: Uint32Array, at: number): void {
    const [p, s] = [this.#p, this.#s];
    let left = words[at] ?? 0;
    let right = words[at + 1] ?? 0;
    for (let round = 0; round < rounds; round++) {
      left = (left ^ (p[round] ?? 0)) >>> 0;
      const sum = ((s[left >>> 24] ?? 0) + (s[256 + ((left >>> 16) & 255)] ?? 0)) >>> 0;
      const mixed = (sum ^ (s[512 + ((left >>> 8) & 255)] ?? 0)) >>> 0;
      right = (right ^ (mixed + (s[768 + (left & 255)] ?? 0))) >>> 0;
      [left, right] = [right, left];
    }
    words[at] = (right ^ (p[rounds + 1] ?? 0)) >>> 0;
    words[at + 1] = (left ^ (p[rounds] ?? 0)) >>> 0;
  }

  expand(key: Uint8Array, salt?: Uint8Array): void {
    const p = this.#p;
    for (let at = 0; at < p.length; at++) p[at] = (p[at] ?? 0) ^ wordOf(key, at);
    const block = new Uint32Array(2);
    let used = 0;
    for (const table of [p, this.#s]) {
      for (let at = 0; at < table.length; at += 2) {
        if (salt) {
          block[0] = (block[0] ?? 0) ^ wordOf(salt, used);
          block[1] = (block[1] ?? 0) ^ wordOf(salt, used + 1);
          used += 2;
        }
        this.encrypt(block, 0);
        table[at] = block[0] ?? 0;
        table[at + 1] = block[1] ?? 0;
      }
    }
  }
}

/** The word of number `at` of bytes that go round and round. */
function wordOf(bytes: Uint8Array, at: number): number {
  let word = 0;
  for (let index = at * 4; index < at * 4 + 4; index++) word = (word << 8) | (bytes[index % bytes.length] ?? 0);
  return word >>> 0;
}

let made: Uint32Array | undefined;

/** Blowfish begins with the digits of pi behind the point: they are computed, once, rather than written down. */
function piWords(): Uint32Array {
  if (made) return made;
  const count = rounds + 2 + 4 * 256;
  const guard = 64n;
  const bits = BigInt(count * 32) + guard;
  const one = 1n << bits;
  const arctangentOf = (x: bigint): bigint => {
    let power = one / x;
    let sum = power;
    for (let divisor = 3n, sign = -1n; power > 0n; divisor += 2n, sign = -sign) {
      power /= x * x;
      sum += sign * (power / divisor);
    }
    return sum;
  };
  const pi = 4n * (4n * arctangentOf(5n) - arctangentOf(239n));
  const digits = ((pi - 3n * one) >> guard).toString(16).padStart(count * 8, "0");
  made = Uint32Array.from({ length: count }, (_, at) => Number.parseInt(digits.slice(at * 8, at * 8 + 8), 16));
  return made;
}
