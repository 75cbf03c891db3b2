/** What can lie in a heap: it knows its place, so that its order may be changed in O(log n). */
export interface HeapNode {
  heapIndex: number;
}

/** A binary heap with removal and re-ordering of any element. No allocation but the array's growth. */
export class IndexedHeap<T extends HeapNode> {
  readonly #nodes: T[] = [];
  readonly #before: (a: T, b: T) => boolean;

  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before;
  }

  get size(): number {
    return this.#nodes.length;
  }

  peek(): T | undefined {
    return this.#nodes[0];
  }

  push(node: T): void {
    node.heapIndex = this.#nodes.length;
    this.#nodes.push(node);
    this.#up(node.heapIndex);
  }

  pop(): T | undefined {
    const first = this.#nodes[0];
    if (first !== undefined) this.remove(first);
    return first;
  }

  /** Does nothing for a node that is not in the heap (`heapIndex` -1). */
  remove(node: T): void {
    const index = node.heapIndex;
    if (index < 0) return;
    node.heapIndex = -1;
    const last = this.#nodes.pop() as T;
    if (last === node) return;
    last.heapIndex = index;
    this.#nodes[index] = last;
    this.#up(index);
    this.#down(last.heapIndex);
  }

  /** To be called after a node's order has changed. */
  moved(node: T): void {
    if (node.heapIndex < 0) return;
    this.#up(node.heapIndex);
    this.#down(node.heapIndex);
  }

  /** To be called after the order of many has changed. O(n log n). */
  rebuild(): void {
    for (let index = (this.#nodes.length >> 1) - 1; index >= 0; index--) this.#down(index);
  }

  #up(from: number): void {
    const nodes = this.#nodes;
    const node = nodes[from] as T;
    let index = from;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const other = nodes[above] as T;
      if (!this.#before(node, other)) break;
      nodes[index] = other;
      other.heapIndex = index;
      index = above;
    }
    nodes[index] = node;
    node.heapIndex = index;
  }

  #down(from: number): void {
    const nodes = this.#nodes;
    const node = nodes[from] as T;
    let index = from;
    for (;;) {
      let below = index * 2 + 1;
      if (below >= nodes.length) break;
      if (below + 1 < nodes.length && this.#before(nodes[below + 1] as T, nodes[below] as T)) below++;
      const other = nodes[below] as T;
      if (!this.#before(other, node)) break;
      nodes[index] = other;
      other.heapIndex = index;
      index = below;
    }
    nodes[index] = node;
    node.heapIndex = index;
  }
}
