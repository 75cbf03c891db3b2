/**
 * Tells texts apart: 106 bits against chance, not against malice, and O(length). It is kept beside the file itself, which
 * says more.
 */
export function digestOf(text: string): string {
  const [a, b] = [sums(text, 0x9e3779b9), sums(text, 0x7f4a7c15)];
  return `${text.length.toString(36)}-${a}-${b}`;
}

function sums(text: string, seed: number): string {
  let one = 0xdeadbeef ^ seed;
  let other = 0x41c6ce57 ^ seed;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    one = Math.imul(one ^ code, 2_654_435_761);
    other = Math.imul(other ^ code, 1_597_334_677);
  }
  one = Math.imul(one ^ (one >>> 16), 2_246_822_507) ^ Math.imul(other ^ (other >>> 13), 3_266_489_909);
  other = Math.imul(other ^ (other >>> 16), 2_246_822_507) ^ Math.imul(one ^ (one >>> 13), 3_266_489_909);
  return `${(one >>> 0).toString(36)}.${(other >>> 0).toString(36)}`;
}
