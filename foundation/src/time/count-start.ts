/**
 * The number of a start (of a reign, of a framework), of which ids are made that are never used twice: higher than the
 * last that is on record, and no lower than the seconds since 1970. So one that begins with records of an older copy
 * does not count again what was counted since that copy was made. Where a clock is wrong the record alone decides.
 */
export function countStart(last: number, epochMs: number): number {
  return Math.max(last + 1, Math.floor(epochMs / 1_000));
}
