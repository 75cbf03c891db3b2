/** Where chance comes from. */
export interface Random {
  /** A number from 0 (inclusive) to 1 (exclusive). */
  next(): number;
  /** A sequence of its own for that name: a draw more or less here changes nothing there. */
  stream(name: string): Random;
}

/** A whole number from 0 (inclusive) to `limit` (exclusive). */
export function randomInt(random: Random, limit: number): number {
  return Math.floor(random.next() * limit);
}

/** `length` characters of 0-9a-z. Five bits of chance each, a little more. */
export function randomText(random: Random, length: number): string {
  let text = "";
  for (let i = 0; i < length; i++) text += randomInt(random, 36).toString(36);
  return text;
}

/** The same seed gives the same sequence, everywhere and for ever. Not for secrets. */
export function seededRandom(seed: string | number): Random {
  return new Sfc32(String(seed));
}

/** Chris Doty-Humphrey's "small fast counter" generator with 32-bit words: 128 bits of state, passes PractRand. */
class Sfc32 implements Random {
  readonly #seed: string;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: string) {
    this.#seed = seed;
    this.#a = hash32(seed, 0x9e3779b9);
    this.#b = hash32(seed, 0x243f6a88);
    this.#c = hash32(seed, 0xb7e15162);
    for (let i = 0; i < 12; i++) this.next();
  }

  next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return (sum >>> 0) / 4294967296;
  }

  stream(name: string): Random {
    return new Sfc32(`${this.#seed}/${name}`);
  }
}

/** FNV-1a with a murmur-like finish, so that similar names do not give similar streams. */
function hash32(text: string, basis: number): number {
  let hash = basis | 0;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
