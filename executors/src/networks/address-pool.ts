/**
 * Which of an agent's addresses belong to whom. An address is a number from 1 to `count`; a network mode makes real
 * addresses of it. Touched by the functions of this file alone.
 */
export interface AddressPool {
  readonly count: number;
  /** Holder by number. */
  readonly held: Map<number, string>;
  /** Numbers that were given back, the one that has been free for longest first. */
  readonly released: Set<number>;
  /** Numbers from here on were never given. */
  next: number;
}

export function createAddressPool(count: number): AddressPool {
  return { count, held: new Map(), released: new Set(), next: 1 };
}

/**
 * Takes an address, or gives undefined if all are held. One that was given back comes last: whoever still talks to its
 * former holder must not meet the next one. O(1), but for numbers taken by `takeThisAddress`.
 */
export function takeAddress(pool: AddressPool, taker: string): number | undefined {
  while (pool.next <= pool.count) {
    const index = pool.next++;
    if (pool.held.has(index)) continue;
    pool.released.delete(index);
    pool.held.set(index, taker);
    return index;
  }
  for (const index of pool.released) {
    pool.released.delete(index);
    pool.held.set(index, taker);
    return index;
  }
  return undefined;
}

/** Takes the address that a group had in an earlier life of the agent. */
export function takeThisAddress(pool: AddressPool, index: number, taker: string): void {
  if (index <= 0) return;
  pool.released.delete(index);
  pool.held.set(index, taker);
}

/** Gives an address back. Doing it twice changes nothing. */
export function releaseAddress(pool: AddressPool, index: number, taker: string): void {
  if (pool.held.get(index) !== taker) return;
  pool.held.delete(index);
  if (index < pool.next) pool.released.add(index);
}

/**
 * Goes on where an earlier life of the agent stopped, when all that are held are taken: `released` are numbers that were given
 * back, the one that has been free for longest first. What is not known of numbers below them has been free for longer.
 * O(the highest number).
 */
export function restoreAddresses(pool: AddressPool, released: readonly number[]): void {
  let highest = 0;
  for (const index of [...pool.held.keys(), ...released]) if (index <= pool.count) highest = Math.max(highest, index);
  pool.next = highest + 1;
  const known = new Set(released);
  for (let index = 1; index <= highest; index++)
    if (!pool.held.has(index) && !known.has(index)) pool.released.add(index);
  for (const index of released) if (index > 0 && index <= highest && !pool.held.has(index)) pool.released.add(index);
}
