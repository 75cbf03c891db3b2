/** Why a text is refused, with the offsets of the part that is wrong. */
export interface TextProblem {
  readonly start: number;
  readonly end: number;
  readonly message: string;
}

const monthNames = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");
const dayNames = "sun mon tue wed thu fri sat".split(" ");

const secondField = { name: "second", min: 0, max: 59, words: [], firstWord: 0 } as const;

const cronFields = [
  { name: "minute", min: 0, max: 59, words: [], firstWord: 0 },
  { name: "hour", min: 0, max: 23, words: [], firstWord: 0 },
  { name: "day of month", min: 1, max: 31, words: [], firstWord: 0 },
  { name: "month", min: 1, max: 12, words: monthNames, firstWord: 1 },
  { name: "day of week", min: 0, max: 7, words: dayNames, firstWord: 0 },
] as const;

/** Names for common cron texts. */
export const cronNames = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"] as const;

type CronField = typeof secondField | (typeof cronFields)[number];

/** How many fields a cron text has where its first one is of seconds. */
export const cronFieldsWithSeconds = cronFields.length + 1;

/** undefined: five fields of numbers, names, lists, ranges and steps, six with seconds before them, or a known @name. */
export function cronProblem(text: string): TextProblem | undefined {
  if (text.startsWith("@")) {
    if ((cronNames as readonly string[]).includes(text)) return undefined;
    return { start: 0, end: text.length, message: `"${text}" is none of ${cronNames.join(", ")}` };
  }
  const fields = [...text.matchAll(/\S+/g)];
  const meant: readonly CronField[] =
    fields.length === cronFieldsWithSeconds ? [secondField, ...cronFields] : cronFields;
  if (fields.length !== meant.length) {
    return {
      start: 0,
      end: text.length,
      message: `cron has five fields (minute hour day month weekday), or six with seconds first, not ${fields.length}`,
    };
  }
  for (const [index, field] of fields.entries()) {
    const message = cronFieldProblem(field[0], meant[index]);
    if (message !== undefined) return { start: field.index, end: field.index + field[0].length, message };
  }
  return undefined;
}

function cronFieldProblem(text: string, field: CronField | undefined): string | undefined {
  if (!field) return undefined;
  for (const part of text.split(",")) {
    const [range = "", step, ...more] = part.split("/");
    if (more.length > 0 || (step !== undefined && !(/^\d{1,4}$/.test(step) && Number(step) > 0))) {
      return `"${part}" is no step of the ${field.name}`;
    }
    if (range === "*" || (range === "?" && field.name.startsWith("day of"))) continue;
    const ends = range.split("-").map((end) => cronNumber(end, field));
    const [low, high = low] = ends;
    if (ends.length > 2 || low === undefined || high === undefined || low > high) {
      return `"${part}" is no ${field.name} (${field.min} to ${field.max})`;
    }
  }
  return undefined;
}

function cronNumber(text: string, field: CronField): number | undefined {
  const word = (field.words as readonly string[]).indexOf(text.toLowerCase());
  if (word >= 0) return word + field.firstWord;
  if (!/^\d{1,2}$/.test(text)) return undefined;
  const number = Number(text);
  return number >= field.min && number <= field.max ? number : undefined;
}

/** Names that were asked about lately: asking the platform costs 50 µs. */
const knownZones = new Map<string, boolean>();
const knownZonesMax = 1_000;

/** "UTC" or an IANA name such as "Europe/Berlin". Three-letter names mean different zones to different people. */
export function isTimeZone(name: string): boolean {
  const known = knownZones.get(name);
  if (known !== undefined) return known;
  const isKnown = name === "UTC" || (/^[A-Za-z]+\//.test(name) && isPlatformZone(name));
  if (knownZones.size >= knownZonesMax) knownZones.clear();
  knownZones.set(name, isKnown);
  return isKnown;
}

function isPlatformZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }) !== undefined;
  } catch {
    return false;
  }
}

const startForm = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:?\d{2})?$/;
const durationForm = /^P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d{1,3})?S)?)?$/;

/** undefined: `R[n]/[start]/duration` of ISO 8601; an empty start means from now on. */
export function intervalProblem(text: string): TextProblem | undefined {
  const parts = text.split("/");
  const [repeat = "", start = "", duration = ""] = parts;
  const whole = { start: 0, end: text.length };
  if (parts.length !== 3) return { ...whole, message: "an interval has three parts: R/start/duration, e.g. R//PT2S" };
  if (!/^R\d{0,9}$/.test(repeat)) {
    return { start: 0, end: repeat.length, message: `"${repeat}" is no repetition: R, or R and a count` };
  }
  const startAt = repeat.length + 1;
  if (start !== "" && !(startForm.test(start) && isCalendarDate(start))) {
    return {
      start: startAt,
      end: startAt + start.length,
      message: `"${start}" is no time such as 2026-01-31T09:00:00Z`,
    };
  }
  const durationAt = startAt + start.length + 1;
  if (!durationForm.test(duration) || !/[1-9]/.test(duration)) {
    return {
      start: durationAt,
      end: Math.max(text.length, durationAt),
      message: `"${duration}" is no duration such as PT2S, PT24H or P1D`,
    };
  }
  return undefined;
}

function isCalendarDate(start: string): boolean {
  const [year = 0, month = 0, day = 0] = start.slice(0, 10).split("-").map(Number);
  const [hour = 0, minute = 0, second = 0] = start
    .slice(11, 19)
    .replace(/[^\d:].*$/, "")
    .split(":")
    .map(Number);
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
  return days !== undefined && day >= 1 && day <= days && hour < 24 && minute < 60 && second < 60;
}
