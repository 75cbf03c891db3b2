/**
 * What was preempted counts as missing until a group of the same budget that was launched later runs; or so long, for
 * whoever has fewer groups than before may never start another.
 */
export const missingMsMax = 300_000;

/** Groups that were preempted at one moment and have no successor yet. */
interface Missing {
  /** Monotonic. */
  readonly sinceMs: number;
  /** The same since the epoch; 0: under a former master, before whatever this one launches. */
  readonly at: number;
  count: number;
}

/** Groups of one framework of which only so many may be missing at once for having been preempted. */
export class Budget {
  readonly key: string;
  readonly frameworkId: string;
  readonly name: string;
  max: number;
  /** Its groups that have not ended. */
  groupCount = 0;
  /** Of its record in the registry, once it has had one. */
  recordId = "";
  /** Oldest first: an entry for each look at which some were chosen. */
  #missing: Missing[] = [];

  constructor(frameworkId: string, name: string, max: number) {
    this.key = Budget.keyOf(frameworkId, name);
    this.frameworkId = frameworkId;
    this.name = name;
    this.max = max;
  }

  static keyOf(frameworkId: string, name: string): string {
    return `${frameworkId} ${name}`;
  }

  get missingCount(): number {
    return this.#missing.reduce((sum, { count }) => sum + count, 0);
  }

  /** When the first that is missing counts no more; undefined: none is. */
  get nextOverMs(): number | undefined {
    const first = this.#missing[0];
    return first && first.sinceMs + missingMsMax;
  }

  /** How many more may be preempted now. O(looks at which some were). */
  left(nowMs: number): number {
    const missing = this.#missing.reduce((sum, each) => (isOver(each, nowMs) ? sum : sum + each.count), 0);
    return Math.max(0, this.max - missing);
  }

  take(sinceMs: number, at: number, count = 1): void {
    const last = this.#missing.at(-1);
    if (last?.sinceMs === sinceMs && last.at === at) last.count += count;
    else this.#missing.push({ sinceMs, at, count });
  }

  /** One that was chosen then was not ended after all. */
  giveBack(sinceMs: number): void {
    this.#drop((each) => each.sinceMs === sinceMs);
  }

  /** A group of it runs for the first time: it takes the place of one that was preempted before its launch, if any. */
  replace(launchedAt: number): boolean {
    return this.#drop(({ at }) => at <= launchedAt);
  }

  /** Those that have been missing for long enough do not count any more. */
  forget(nowMs: number): void {
    this.#missing = this.#missing.filter((each) => !isOver(each, nowMs));
  }

  get isIdle(): boolean {
    return this.groupCount === 0 && this.#missing.length === 0;
  }

  #drop(isMeant: (missing: Missing) => boolean): boolean {
    const meant = this.#missing.find(isMeant);
    if (meant === undefined) return false;
    meant.count--;
    this.#missing = this.#missing.filter(({ count }) => count > 0);
    return true;
  }
}

function isOver({ sinceMs }: Missing, nowMs: number): boolean {
  return nowMs - sinceMs >= missingMsMax;
}
