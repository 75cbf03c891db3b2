/** A date and time as a clock on the wall shows it, in milliseconds as if the wall were in UTC. */
export type WallMs = number;

const hourMs = 3_600_000;
/** No zone changes its offset twice within this time before or after an instant that is asked about. */
const aroundMs = 24 * hourMs;

const formats = new Map<string, Intl.DateTimeFormat>();
/** Zones whose formats are kept: all that exist. */
const formatsMax = 1_000;

/** What the clocks of a zone show at an instant. */
export function wallTime(epochMs: number, timeZone: string): WallMs {
  return epochMs + offsetMs(epochMs, timeZone);
}

/**
 * The instant at which the clocks of a zone show that time. Shown twice (clocks went back): the first. Never shown
 * (clocks went forward): the end of the gap.
 */
export function instantOf(wall: WallMs, timeZone: string): number {
  if (timeZone === "UTC") return wall;
  const before = offsetMs(wall - aroundMs, timeZone);
  const after = offsetMs(wall + aroundMs, timeZone);
  const candidates = [wall - before, wall - after].filter((instant) => wallTime(instant, timeZone) === wall);
  if (candidates.length > 0) return Math.min(...candidates);
  return transition(wall - aroundMs, wall + aroundMs, timeZone);
}

/** The instant between two of different offsets at which the second offset begins. Offsets change at whole seconds. */
function transition(fromMs: number, toMs: number, timeZone: string): number {
  const before = offsetMs(fromMs, timeZone);
  let low = Math.floor(fromMs / 1_000);
  let high = Math.ceil(toMs / 1_000);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetMs(middle * 1_000, timeZone) === before) low = middle;
    else high = middle;
  }
  return high * 1_000;
}

function offsetMs(epochMs: number, timeZone: string): number {
  if (timeZone === "UTC") return 0;
  const seconds = Math.floor(epochMs / 1_000) * 1_000;
  const parts: Record<string, number> = {};
  for (const { type, value } of formatOf(timeZone).formatToParts(seconds)) parts[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - seconds;
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known) return known;
  if (formats.size >= formatsMax) formats.clear();
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  formats.set(timeZone, format);
  return format;
}
