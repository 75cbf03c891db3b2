/** What a heap orders: by due time, then by the order of arrival. */
export interface Due {
  readonly atMs: number;
  readonly sequence: number;
}

/** A binary heap. The smallest is first: earlier before later, and of one instant what came first. */
export class Heap<T extends Due> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  /** O(log n). */
  push(item: T): void {
    const items = this.#items;
    let index = items.length;
    items.push(item);
    while (index > 0) {
      const above = (index - 1) >> 1;
      const other = items[above]!;
      if (!isBefore(item, other)) break;
      items[index] = other;
      index = above;
    }
    items[index] = item;
  }

  /** O(log n). */
  pop(): T | undefined {
    const items = this.#items;
    const first = items[0];
    const last = items.pop();
    if (first === undefined || last === undefined || items.length === 0) return first;
    let index = 0;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= items.length) break;
      if (below + 1 < items.length && isBefore(items[below + 1]!, items[below]!)) below++;
      if (!isBefore(items[below]!, last)) break;
      items[index] = items[below]!;
      index = below;
    }
    items[index] = last;
    return first;
  }
}

function isBefore(left: Due, right: Due): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.sequence < right.sequence);
}
