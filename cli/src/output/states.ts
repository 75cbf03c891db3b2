import type { Colour, Style } from "./style.ts";

/** A glyph beside a word: a state must be readable without colour, and at a glance with it. */
const looks: Readonly<Record<string, readonly [string, Colour]>> = {
  running: ["●", "green"],
  healthy: ["●", "green"],
  registered: ["●", "green"],
  connected: ["●", "green"],
  succeeded: ["✔", "green"],
  successful: ["✔", "green"],
  complete: ["✔", "green"],
  finished: ["✔", "green"],
  pending: ["◌", "yellow"],
  staging: ["◌", "yellow"],
  starting: ["◌", "yellow"],
  killing: ["◌", "yellow"],
  awaited: ["◌", "yellow"],
  draining: ["◌", "yellow"],
  drained: ["■", "dim"],
  deactivated: ["■", "yellow"],
  "awaiting promotion": ["◌", "yellow"],
  paused: ["■", "yellow"],
  "not healthy": ["!", "yellow"],
  disconnected: ["!", "yellow"],
  unreachable: ["!", "yellow"],
  unknown: ["?", "yellow"],
  skipped: ["-", "dim"],
  missed: ["-", "yellow"],
  stopped: ["■", "dim"],
  cancelled: ["■", "dim"],
  killed: ["■", "dim"],
  failed: ["✗", "red"],
  error: ["✗", "red"],
  dropped: ["✗", "red"],
  gone: ["✗", "red"],
};

export function stateText(word: string, style: Style): string {
  const [glyph, colour] = looks[word] ?? ["?", "dim"];
  return style.paint(colour, `${glyph} ${word}`);
}

/** "TASK_RUNNING" of 3, "running" of "TASK_RUNNING": names of an enumeration's numbers. */
export function enumName(table: Readonly<Record<string, string | number>>, value: number | string): string {
  for (const [name, number] of Object.entries(table)) if (number === value || name === value) return name;
  return String(value);
}

/** The word for people of a name such as JOB_STATE_RUNNING: what follows the prefix, in small letters. */
export function enumWord(
  table: Readonly<Record<string, string | number>>,
  value: number | string,
  prefix: string,
): string {
  const name = enumName(table, value);
  return (name.startsWith(prefix) ? name.slice(prefix.length) : name).toLowerCase().replaceAll("_", " ");
}
