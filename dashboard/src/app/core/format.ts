const mib = 1024;

/** Thousandths of a core as cores: 1500 is "1.5". */
export function formatCpu(millis: number): string {
  const cores = millis / 1000;
  return cores >= 100 || Number.isInteger(cores) ? String(Math.round(cores)) : trim(cores.toFixed(cores < 1 ? 2 : 1));
}

/** "1 core", "0.5 cores". */
export const formatCores = (millis: number): string => `${formatCpu(millis)} ${millis === 1000 ? "core" : "cores"}`;

/** MiB in the largest unit that fits: 1536 is "1.5 GiB". */
export function formatMiB(amount: number): string {
  if (amount === 0) return "0";
  if (amount < mib) return `${amount} MiB`;
  if (amount < mib * mib) return `${trim((amount / mib).toFixed(1))} GiB`;
  return `${trim((amount / mib / mib).toFixed(1))} TiB`;
}

/** How long ago or for how long: "now", "12 s", "3 min", "5 h", "2 d". */
export function formatSpan(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 1) return "now";
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** "1 task", "2 tasks", "1,200 tasks". */
export const formatCount = (count: number, one: string, many = `${one}s`): string =>
  `${groupDigits(count)} ${count === 1 ? one : many}`;

export const groupDigits = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ",");

/** A part of a whole from 0 to 100, for widths. Nothing of nothing is 0. */
export const percent = (part: number, whole: number): number =>
  whole <= 0 ? 0 : Math.min(100, Math.max(0, (part / whole) * 100));

const trim = (text: string): string => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
