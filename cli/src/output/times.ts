/** "3m" ago; one unit, rounded down. */
export function age(fromMs: number, nowMs: number): string {
  if (fromMs === 0) return "-";
  return spanText(Math.max(0, nowMs - fromMs));
}

/** A span of time in its largest unit. */
export function spanText(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** RFC 3339 in UTC, or null for a time that is not. */
export function rfc3339(ms: number): string | null {
  return ms === 0 ? null : new Date(ms).toISOString();
}

/** For people: relative on a terminal, RFC 3339 elsewhere. */
export function timeText(ms: number, nowMs: number, relative: boolean): string {
  if (ms === 0) return "-";
  if (!relative) return new Date(ms).toISOString();
  return ms > nowMs ? `in ${spanText(ms - nowMs)}` : `${age(ms, nowMs)} ago`;
}
