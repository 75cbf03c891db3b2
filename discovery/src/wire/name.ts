/**
 * Names as they stand in packets, one character a byte: each label behind its length, a zero at the end, lower-case.
 * A length byte is at most 63, a letter at least 65, so folding case never touches a length.
 */
export type WireName = string;

/** The wire form of a dotted name without its final dot; undefined if a label or the whole is too long or empty. */
export function wireName(name: string): WireName | undefined {
  if (name === "") return "\0";
  let wire = "";
  for (const label of name.split(".")) {
    if (label.length === 0 || label.length > 63) return undefined;
    wire += String.fromCharCode(label.length) + label;
  }
  return wire.length + 1 > 255 ? undefined : `${wire.toLowerCase()}\0`;
}

/** The dotted form, for people. */
export function dottedName(wire: WireName): string {
  const labels: string[] = [];
  for (let i = 0; i < wire.length; ) {
    const length = wire.charCodeAt(i);
    if (length === 0) break;
    labels.push(wire.slice(i + 1, i + 1 + length));
    i += length + 1;
  }
  return labels.join(".");
}

/** The name one label up; undefined above the root. */
export function parentName(wire: WireName): WireName | undefined {
  const length = wire.charCodeAt(0);
  return length === 0 ? undefined : wire.slice(length + 1);
}

/** The bytes of a wire name. */
export function nameBytes(wire: WireName): Buffer {
  return Buffer.from(wire, "latin1");
}
