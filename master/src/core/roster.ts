/** A roster is packed only when it has become so long: a copy of a few is not worth the asking. */
const packedFromLength = 32;

/** Where an item stands that stands nowhere. */
export const nowhere = -1;

/** What can stand in rosters: in two at most, one of each side. It knows its places, which are `nowhere` at first. */
export interface Listed {
  leftPlace: number;
  rightPlace: number;
}

/**
 * Things in the order in which they came, each at most once: what a `Set` is, for things that come and go by ten
 * thousands. Each knows its own place, so nothing is hashed and nothing searched for; what is next to be looked at lies
 * side by side in memory; and one that is empty costs next to nothing. Everything is O(1), spread over many. What is
 * read must not be added to meanwhile.
 */
export class Roster<T extends Listed> implements Iterable<T> {
  readonly #isLeft: boolean;
  /** Undefined: whoever stood there has gone. */
  #items: (T | undefined)[] | undefined = undefined;
  /** Nobody stands before it. */
  #first = 0;
  #size = 0;

  /** Which of an item's places is that in this roster. */
  constructor(side: "left" | "right") {
    this.#isLeft = side === "left";
  }

  get size(): number {
    return this.#size;
  }

  /** Who came first of those that are there. */
  get first(): T | undefined {
    return this.#items?.[this.#first];
  }

  has(item: T): boolean {
    return this.#placeOf(item) !== nowhere;
  }

  /** Adds it at the end, if it is not there. */
  add(item: T): void {
    if (this.#placeOf(item) !== nowhere) return;
    this.#size++;
    if (this.#items === undefined) {
      this.#items = [item];
      this.#put(item, 0);
      return;
    }
    const { length } = this.#items;
    if (length >= packedFromLength && length > 2 * this.#size) this.#pack();
    this.#put(item, this.#items.length);
    this.#items.push(item);
  }

  /** Whether it was there. */
  delete(item: T): boolean {
    const place = this.#placeOf(item);
    const items = this.#items;
    if (place === nowhere || items === undefined) return false;
    this.#put(item, nowhere);
    if (--this.#size === 0) {
      this.#forgetAll();
      return true;
    }
    items[place] = undefined;
    while (items[this.#first] === undefined) this.#first++;
    return true;
  }

  /** O(items). */
  clear(): void {
    for (const item of this) this.#put(item, nowhere);
    this.#size = 0;
    this.#forgetAll();
  }

  *[Symbol.iterator](): IterableIterator<T> {
    const items = this.#items ?? [];
    for (let place = this.#first; place < items.length; place++) {
      const item = items[place];
      if (item !== undefined) yield item;
    }
  }

  #placeOf(item: T): number {
    return this.#isLeft ? item.leftPlace : item.rightPlace;
  }

  #put(item: T, place: number): void {
    if (this.#isLeft) item.leftPlace = place;
    else item.rightPlace = place;
  }

  /** What was small is kept for the next; what was large is not. */
  #forgetAll(): void {
    this.#first = 0;
    if (this.#items !== undefined && this.#items.length <= packedFromLength) this.#items.length = 0;
    else this.#items = undefined;
  }

  #pack(): void {
    const packed: T[] = [];
    for (const item of this) {
      this.#put(item, packed.length);
      packed.push(item);
    }
    this.#items = packed;
    this.#first = 0;
  }
}
