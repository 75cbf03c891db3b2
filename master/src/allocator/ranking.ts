/** What can stand in a ranking. Names are unique within one. */
export interface Ranked {
  /** Orders those of equal share. */
  readonly name: string;
  /** The share under which it stands in its ranking, or would stand. */
  share: number;
  /** Whether it stands in its ranking. */
  isRanked: boolean;
}

/** So much room before the first is not worth closing. */
const roomMin = 32;

function order(a: Ranked, b: Ranked): number {
  return a.share - b.share || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

/**
 * Things in the order of their shares, least first. A sorted list rather than a heap: it is read in order far more often
 * than it changes, by each agent that many do not want, and moving one of thousands is a short copy of memory.
 */
export class Ranking<T extends Ranked> {
  /** Before the first there is room of those that stood there: moving all up by one would be done with each offer. */
  readonly #items: (T | undefined)[] = [];
  #first = 0;

  get size(): number {
    return this.#items.length - this.#first;
  }

  /** Least share first, from 0 on: O(1). A place holds only until the ranking changes. */
  at(place: number): T | undefined {
    return this.#items[this.#first + place];
  }

  /** Least share first. O(n) and a copy: for those who are not asked a thousand times a second. */
  get items(): readonly T[] {
    return this.#items.slice(this.#first) as T[];
  }

  /**
   * Puts it where its share belongs, or takes it out. O(log n), and a copy of what stands behind it. What is first and
   * becomes last, as whoever has just been offered something mostly does, is not searched for.
   */
  place(item: T, share: number, isWanted: boolean): void {
    if (item.isRanked) {
      if (isWanted && item.share === share) return;
      const index = this.#items[this.#first] === item ? this.#first : this.#indexOf(item);
      if (index === this.#first) this.#dropFirst();
      else this.#items.splice(index, 1);
    }
    item.share = share;
    item.isRanked = isWanted;
    if (!isWanted) return;
    const last = this.#items[this.#items.length - 1];
    if (last === undefined || order(last, item) < 0) this.#items.push(item);
    else this.#items.splice(this.#indexOf(item), 0, item);
  }

  /** Gives everything a new share at once. O(n log n). */
  rerank(shareOf: (item: T) => number): void {
    const items = [...this.items];
    for (const item of items) item.share = shareOf(item);
    items.sort(order);
    for (let place = 0; place < items.length; place++) this.#items[this.#first + place] = items[place];
  }

  #dropFirst(): void {
    this.#items[this.#first++] = undefined;
    if (this.#first < roomMin || this.size > this.#first) return;
    this.#items.splice(0, this.#first);
    this.#first = 0;
  }

  /** Where it stands, or would stand. */
  #indexOf(item: T): number {
    const items = this.#items;
    let low = this.#first;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (order(items[middle] as T, item) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
