import type { JobEntry } from "./model.ts";

interface Look {
  readonly atMs: number;
  readonly entry: JobEntry;
}

/** Looks that were planned otherwise later are dropped when there are so many more of them than jobs. */
const staleMax = 1_000;

/** When each job is to be looked at next. O(log jobs) for each change and for each job that is taken. */
export class LookQueue {
  readonly #atMs = new Map<JobEntry, number>();
  /** The earliest first; those that are not as planned any more are passed over. */
  #heap: Look[] = [];

  /** Undefined: not until something happens. */
  set(entry: JobEntry, atMs: number | undefined): void {
    if (this.#atMs.get(entry) === atMs) return;
    if (atMs === undefined || atMs === Number.POSITIVE_INFINITY) {
      this.#atMs.delete(entry);
      return;
    }
    this.#atMs.set(entry, atMs);
    if (this.#heap.length > 2 * this.#atMs.size + staleMax) this.#rebuild();
    else this.#push({ atMs, entry });
  }

  /** The jobs whose time has come. They are planned anew by `set`. */
  takeDue(nowMs: number): JobEntry[] {
    const due: JobEntry[] = [];
    for (let atMs = this.nextMs; atMs !== undefined && atMs <= nowMs; atMs = this.nextMs) {
      const look = this.#pop();
      if (look === undefined) break;
      this.#atMs.delete(look.entry);
      due.push(look.entry);
    }
    return due;
  }

  /** When the next one is due; undefined: none is. */
  get nextMs(): number | undefined {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      if (this.#atMs.get(first.entry) === first.atMs) return first.atMs;
      this.#pop();
    }
    return undefined;
  }

  /** Looks that are kept, those that are not as planned any more among them. */
  get plannedCount(): number {
    return this.#heap.length;
  }

  #rebuild(): void {
    // Sorted is a heap, too.
    this.#heap = [...this.#atMs].map(([entry, atMs]) => ({ atMs, entry })).sort((a, b) => a.atMs - b.atMs);
  }

  #push(look: Look): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as Look;
      if (parent.atMs <= look.atMs) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = look;
  }

  #pop(): Look | undefined {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let at = 0;
    for (let below = 1; below < heap.length; below = 2 * at + 1) {
      if (below + 1 < heap.length && (heap[below + 1] as Look).atMs < (heap[below] as Look).atMs) below++;
      const child = heap[below] as Look;
      if (child.atMs >= last.atMs) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = last;
    return first;
  }
}
