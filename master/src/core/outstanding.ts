import type { Offer } from "./model.ts";

/** Offers whose numbers differ in less than this lie side by side. */
const blockLength = 32;

interface Block {
  /** By what is left of the number. */
  readonly offers: (Offer | undefined)[];
  count: number;
}

/**
 * All offers that stand, in the order in which they were made, which is that of their numbers and that in which they
 * time out. They come and go in about that order, so they are kept in blocks of neighbours: finding, adding and removing
 * one is O(1), without a hash of its id and without a table of all that grows. A block is forgotten with its last offer.
 */
export class OutstandingOffers {
  readonly #idPrefix: string;
  readonly #blocks = new Map<number, Block>();
  /** The newest, which is mostly the one that is added to. */
  #newest: Block | undefined = undefined;
  #newestNumber = -1;
  #size = 0;

  /** Ids are the prefix and the number of the offer in base 36. */
  constructor(idPrefix: string) {
    this.#idPrefix = idPrefix;
  }

  get size(): number {
    return this.#size;
  }

  /** The one that was made first of those that stand. */
  get first(): Offer | undefined {
    return this.values().next().value;
  }

  idOf(number: number): string {
    return this.#idPrefix + number.toString(36);
  }

  /** Undefined for whatever is not the id of an offer that stands. */
  get(id: string): Offer | undefined {
    if (!id.startsWith(this.#idPrefix)) return undefined;
    const number = Number.parseInt(id.slice(this.#idPrefix.length), 36);
    const offer = this.#blocks.get(Math.floor(number / blockLength))?.offers[number % blockLength];
    // A number can be written in several ways.
    return offer?.id === id ? offer : undefined;
  }

  /** Its number must be higher than that of any before it. */
  add(offer: Offer): void {
    const blockNumber = Math.floor(offer.number / blockLength);
    if (blockNumber !== this.#newestNumber || this.#newest === undefined) {
      this.#newest = { offers: new Array<Offer | undefined>(blockLength), count: 0 };
      this.#newestNumber = blockNumber;
      this.#blocks.set(blockNumber, this.#newest);
    }
    this.#newest.offers[offer.number % blockLength] = offer;
    this.#newest.count++;
    this.#size++;
  }

  /** Whether it stood. */
  delete(offer: Offer): boolean {
    const blockNumber = Math.floor(offer.number / blockLength);
    const block = this.#blocks.get(blockNumber);
    const place = offer.number % blockLength;
    if (block?.offers[place] !== offer) return false;
    block.offers[place] = undefined;
    this.#size--;
    if (--block.count === 0) {
      this.#blocks.delete(blockNumber);
      if (block === this.#newest) this.#newest = undefined;
    }
    return true;
  }

  /** In the order in which they were made. Those that are removed meanwhile are passed over. */
  *values(): Generator<Offer, undefined> {
    for (const { offers } of this.#blocks.values()) for (const offer of offers) if (offer !== undefined) yield offer;
    return undefined;
  }
}
