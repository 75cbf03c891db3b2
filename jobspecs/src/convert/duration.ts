/** Milliseconds as Go writes them, without parts that are 0: "1h30m", "250ms", "0s". */
export function durationText(ms: number): string {
  const units: readonly (readonly [string, number])[] = [
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1000],
    ["ms", 1],
  ];
  let rest = Math.round(Math.abs(ms));
  let text = "";
  for (const [unit, size] of units) {
    if (rest >= size) text += `${Math.floor(rest / size)}${unit}`;
    rest %= size;
  }
  return text === "" ? "0s" : ms < 0 ? `-${text}` : text;
}
