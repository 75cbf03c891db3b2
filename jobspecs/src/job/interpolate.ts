import { isReferenceText } from "../evaluate/value.ts";

/**
 * Substitutes the runtime references of a job's text: `lookup` gets the inside of `${ }`, e.g. `node.class`,
 * `env["HOME"]` or `NOMAD_PORT_http`, and answers undefined to leave it as written. `$${` becomes `${`; `${` before
 * anything that is no runtime reference stays as it is (code of other languages in heredocs). O(length).
 */
export function interpolate(text: string, lookup: (reference: string) => string | undefined): string {
  let from = text.indexOf("${");
  if (from < 0) return text;
  const pieces: string[] = [];
  let done = 0;
  let end = text.indexOf("}");
  for (; from >= 0; from = text.indexOf("${", from + 2)) {
    if (text[from - 1] === "$" && from > done) {
      pieces.push(text.slice(done, from - 1));
      done = from;
      continue;
    }
    if (end >= 0 && end < from) end = text.indexOf("}", from);
    if (end < 0) continue;
    const inside = text.slice(from + 2, end).trim();
    const found = isReferenceText(inside) ? lookup(inside) : undefined;
    if (found === undefined) continue;
    pieces.push(text.slice(done, from), found);
    done = end + 1;
  }
  pieces.push(text.slice(done));
  return pieces.join("");
}
