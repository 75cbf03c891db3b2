/** Milliseconds before the first try after a connection was lost. */
export const retryMsMin = 500;
/** Milliseconds that no wait is longer than. */
export const retryMsMax = 5_000;

/**
 * How long to wait before the next try, doubling from `retryMsMin` to `retryMsMax`, between half of it and all of it by
 * chance, so that the pages of many people do not come back at once.
 * @param failures how many tries have failed in a row, from 1
 * @param chance from 0 to below 1
 */
export function retryDelayMs(failures: number, chance: number): number {
  const ceiling = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(failures, 16));
  return Math.max(retryMsMin, Math.round(ceiling * (0.5 + chance / 2)));
}
