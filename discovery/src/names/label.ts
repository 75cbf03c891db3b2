import { sha1 } from "../digest/sha1.ts";

/** Characters of a label made from a name: one less than DNS allows, so that "_" fits before it in SRV names. */
export const labelLengthMax = 62;
/** Characters of any label on the wire. */
export const wireLabelLengthMax = 63;
/** Characters of a whole name without its final dot. */
export const nameLengthMax = 253;

const hashLength = 5;
const zbase32 = "ybndrfg8ejkmcpqxot1uwisza345h769";

/** The first five characters of zbase32(SHA-1(text)): 25 bits, enough where only equal names can clash. */
export function shortHash(text: string): string {
  const bytes = sha1(text);
  let hash = "";
  for (let i = 0; i < hashLength; i++) {
    const bit = i * 5;
    const pair = ((bytes[bit >> 3] ?? 0) << 8) | (bytes[(bit >> 3) + 1] ?? 0);
    hash += zbase32[(pair >> (11 - (bit & 7))) & 31];
  }
  return hash;
}

/** One DNS label for any text, as RFC 1123 wants it; empty if no character of it can stand in a label. */
export function label(text: string): string {
  return shorten(mangle(text), text, labelLengthMax);
}

/** Labels joined by dots: dots of the text stay, empty parts go. For names of frameworks. */
export function domainFragment(text: string): string {
  return text
    .split(".")
    .map(label)
    .filter((part) => part !== "")
    .join(".");
}

/** The label of one task among those of its name: `<task>-<hash of its id>-<end of its agent's id>`. */
export function canonicalLabel(taskLabel: string, taskId: string, agentId: string): string {
  const agentEnd = agentId.slice(agentId.lastIndexOf("-") + 1);
  // Half a label is left to the task's name, whatever ids an operator's agents have.
  const tail = shorten(mangle(agentEnd), agentEnd, 24);
  const rest = `-${shortHash(taskId)}${tail === "" ? "" : `-${tail}`}`;
  return shorten(taskLabel, taskLabel, wireLabelLengthMax - rest.length) + rest;
}

function mangle(text: string): string {
  let label = "";
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 65 && code <= 90) label += String.fromCharCode(code + 32);
    else if ((code >= 97 && code <= 122) || (code >= 48 && code <= 57)) label += text[i];
    else if (code === 45 || code === 46 || code === 95) label += "-";
  }
  return trimDashes(label);
}

/** Cuts to `lengthMax` and says by a hash of the full text which text it was: equal beginnings stay apart. */
function shorten(mangled: string, full: string, lengthMax: number): string {
  if (mangled.length <= lengthMax) return mangled;
  return `${trimDashes(mangled.slice(0, lengthMax - hashLength - 1))}-${shortHash(full)}`;
}

function trimDashes(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text[start] === "-") start++;
  while (end > start && text[end - 1] === "-") end--;
  return text.slice(start, end);
}
