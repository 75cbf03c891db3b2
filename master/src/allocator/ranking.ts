/** What can stand in a ranking. Names are unique within one. */
export interface Ranked {
  /** Orders those of equal share. */
  readonly name: string;
  /** The share under which it stands in its ranking, or would stand. */
  share: number;
  /** Whether it stands in its ranking. */
  isRanked: boolean;
}

function order(a: Ranked, b: Ranked): number {
  return a.share - b.share || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

/**
 * Things in the order of their shares, least first. A sorted list rather than a heap: it is read in order far more often
 * than it changes, by each agent that many do not want, and moving one of thousands is a short copy of memory.
 */
export class Ranking<T extends Ranked> {
  readonly #items: T[] = [];

  /** Least share first. Not to be changed, and not to be kept over a change of the ranking. */
  get items(): readonly T[] {
    return this.#items;
  }

  /**
   * Puts it where its share belongs, or takes it out. O(log n), and a copy of what stands behind it. What is first and
   * becomes last, as whoever has just been offered something mostly does, is not searched for.
   */
  place(item: T, share: number, isWanted: boolean): void {
    if (item.isRanked) {
      if (isWanted && item.share === share) return;
      const index = this.#items[0] === item ? 0 : this.#indexOf(item);
      if (index === 0) this.#items.shift();
      else this.#items.splice(index, 1);
    }
    item.share = share;
    item.isRanked = isWanted;
    if (!isWanted) return;
    const last = this.#items.at(-1);
    if (last === undefined || order(last, item) < 0) this.#items.push(item);
    else this.#items.splice(this.#indexOf(item), 0, item);
  }

  /** Gives everything a new share at once. O(n log n). */
  rerank(shareOf: (item: T) => number): void {
    for (const item of this.#items) item.share = shareOf(item);
    this.#items.sort(order);
  }

  /** Where it stands, or would stand. */
  #indexOf(item: T): number {
    const items = this.#items;
    let low = 0;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (order(items[middle] as T, item) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
