/** Whether a code point belongs to a class. */
export type Matcher = (code: number) => boolean;

const isDigit: Matcher = (code) => code >= 48 && code <= 57;
const isLower: Matcher = (code) => code >= 97 && code <= 122;
const isUpper: Matcher = (code) => code >= 65 && code <= 90;
const isBlank: Matcher = (code) => code === 32 || code === 9;
const isGraph: Matcher = (code) => code > 32 && code < 127;
/** ASCII alone, as in RE2. */
export const isWord: Matcher = (code) => isDigit(code) || isLower(code) || isUpper(code) || code === 95;

const posix: Readonly<Record<string, Matcher>> = {
  alnum: (code) => isDigit(code) || isLower(code) || isUpper(code),
  alpha: (code) => isLower(code) || isUpper(code),
  ascii: (code) => code < 128,
  blank: isBlank,
  cntrl: (code) => code < 32 || code === 127,
  digit: isDigit,
  graph: isGraph,
  lower: isLower,
  print: (code) => isGraph(code) || code === 32,
  punct: (code) => isGraph(code) && !isDigit(code) && !isLower(code) && !isUpper(code),
  space: (code) => isBlank(code) || (code >= 10 && code <= 13),
  upper: isUpper,
  word: isWord,
  xdigit: (code) => isDigit(code) || (code >= 97 && code <= 102) || (code >= 65 && code <= 70),
};

const not =
  (has: Matcher): Matcher =>
  (code) =>
    !has(code);

/** `[:alpha:]` and so on. */
export function posixClass(name: string, negated: boolean): Matcher | undefined {
  const has = Object.hasOwn(posix, name) ? posix[name] : undefined;
  return has && negated ? not(has) : has;
}

/** `\p{Greek}`: a general category or a script of Unicode. */
export function propertyClass(name: string, negated: boolean): Matcher | undefined {
  const isNegated = negated !== name.startsWith("^");
  const plain = name.replace(/^\^/, "");
  if (!/^\w+$/.test(plain)) return undefined;
  for (const property of [plain, `Script=${plain}`]) {
    try {
      const one = new RegExp(`^\\p{${property}}$`, "u");
      return (code) => one.test(String.fromCodePoint(code)) !== isNegated;
    } catch {
      // It is no category: perhaps a script.
    }
  }
  return undefined;
}

/** `\d`, `\w`, `\s` and their opposites. */
export function shorthandClass(sign: string): Matcher | undefined {
  const isSpace: Matcher = (code) => isBlank(code) || code === 10 || code === 12 || code === 13;
  const known = { d: isDigit, w: isWord, s: isSpace }[sign.toLowerCase()];
  return known && sign !== sign.toLowerCase() ? not(known) : known;
}

/** Matches a letter if it or its other form belongs to the class. */
export function withoutCase(has: Matcher): Matcher {
  return (code) => {
    if (has(code)) return true;
    const sign = String.fromCodePoint(code);
    const [lower, upper] = [sign.toLowerCase(), sign.toUpperCase()];
    return has(lower.codePointAt(0) ?? code) || has(upper.codePointAt(0) ?? code);
  };
}
