/** How the bytes of something fetched are packed. */
export interface Packing {
  /** Several files, or one alone. */
  readonly holds: "tar" | "zip" | "file";
  readonly compression: "none" | "gzip" | "xz" | "zstd" | "bzip2";
}

const tar = (compression: Packing["compression"]): Packing => ({ holds: "tar", compression });
const file = (compression: Packing["compression"]): Packing => ({ holds: "file", compression });

/** By the ending of a name, and by the value of `archive`. The longer endings stand first. */
export const packings: Readonly<Record<string, Packing>> = {
  "tar.gz": tar("gzip"),
  "tar.xz": tar("xz"),
  "tar.zst": tar("zstd"),
  "tar.bz2": tar("bzip2"),
  tgz: tar("gzip"),
  txz: tar("xz"),
  tzst: tar("zstd"),
  tbz2: tar("bzip2"),
  tar: tar("none"),
  zip: { holds: "zip", compression: "none" },
  gz: file("gzip"),
  xz: file("xz"),
  zst: file("zstd"),
  bz2: file("bzip2"),
};

/** How a file of that name is packed; undefined: it is not, as far as its name says. */
export function packingOfName(name: string): Packing | undefined {
  const ending = Object.keys(packings).find((one) => name.toLowerCase().endsWith(`.${one}`));
  return ending === undefined ? undefined : packings[ending];
}

/** A name without the ending that says how it is packed. */
export function nameUnpacked(name: string): string {
  const ending = Object.keys(packings).find((one) => name.toLowerCase().endsWith(`.${one}`));
  return ending === undefined ? name : name.slice(0, -(ending.length + 1)) || name;
}
