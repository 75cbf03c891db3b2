/** Characters (UTF-16 code units) as ranges, both ends included, in order and apart. */
export type CharSet = readonly (readonly [first: number, last: number])[];

export const codeMax = 0xffff;

export const digits: CharSet = [[48, 57]];
export const words: CharSet = [
  [48, 57],
  [65, 90],
  [95, 95],
  [97, 122],
];
export const blanks: CharSet = union([
  [9, 13],
  [32, 32],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
]);
export const lineEnds: CharSet = [
  [10, 10],
  [13, 13],
  [0x2028, 0x2029],
];

/** In order, those that touch made one. */
export function union(ranges: CharSet): CharSet {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  const merged: [number, number][] = [];
  for (const [first, last] of sorted) {
    const before = merged.at(-1);
    if (before && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else merged.push([first, last]);
  }
  return merged;
}

export function complement(set: CharSet): CharSet {
  const others: [number, number][] = [];
  let next = 0;
  for (const [first, last] of set) {
    if (first > next) others.push([next, first - 1]);
    next = last + 1;
  }
  if (next <= codeMax) others.push([next, codeMax]);
  return others;
}

export function contains(set: CharSet, code: number): boolean {
  return set.some(([first, last]) => code >= first && code <= last);
}

/** With the other case of every letter. O(characters of the set), at most 65,536. */
export function withBothCases(set: CharSet): CharSet {
  const ranges: [number, number][] = [];
  for (const [first, last] of set) {
    ranges.push([first, last]);
    for (let code = first; code <= last; code++) {
      const letter = String.fromCharCode(code);
      for (const other of [letter.toLowerCase(), letter.toUpperCase()])
        if (other.length === 1 && other !== letter) ranges.push([other.charCodeAt(0), other.charCodeAt(0)]);
    }
  }
  return union(ranges);
}
