/** Variables of one file. */
const variablesMax = 1_000;

/**
 * Reads lines NAME=VALUE: empty lines and those that begin with # count for nothing, "export " before a name neither;
 * values may stand in double quotes, with \n, \", \\ and \$ in them, or in single ones, in which nothing has a meaning.
 * Text: what is wrong, without any value. O(length).
 */
export function readEnvironmentLines(text: string): Readonly<Record<string, string>> | string {
  const found: Record<string, string> = Object.create(null);
  let count = 0;
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const [, name, value = ""] = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=(.*)$/.exec(line) ?? [];
    if (name === undefined) return `line ${index + 1} of the result is no NAME=VALUE`;
    const read = unquoted(value.trim());
    if (read === undefined) return `line ${index + 1} of the result: the value of ${name} is not closed`;
    if (read.includes("\0")) return `line ${index + 1} of the result: the value of ${name} holds a zero byte`;
    found[name] = read;
    if (++count > variablesMax) return `the result has more than ${variablesMax} variables`;
  }
  return found;
}

const signs: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

function unquoted(text: string): string | undefined {
  if (text.startsWith('"')) {
    const inside = /^"((?:[^"\\]|\\.)*)"\s*(?:#.*)?$/.exec(text)?.[1];
    return inside?.replace(/\\(.)/g, (_, sign: string) => signs[sign] ?? sign);
  }
  if (text.startsWith("'")) return /^'([^']*)'\s*(?:#.*)?$/.exec(text)?.[1];
  return text.replace(/\s+#.*$/, "");
}
