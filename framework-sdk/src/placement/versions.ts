/** A version as text such as "1.2.3-rc.1+build" gives it. */
interface Version {
  readonly numbers: readonly number[];
  readonly preRelease: readonly string[];
}

const lenientForm = /^v?(\d+(?:\.\d+)*)(?:[-.]?([a-z][0-9a-z.-]*|(?<=-)[0-9a-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/i;
const strictForm =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-z-][0-9a-z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-z-][0-9a-z-]*))*))?(?:\+[0-9a-z-]+(?:\.[0-9a-z-]+)*)?$/i;

/** Undefined: the text is no version. Strict is the form of Semantic Versioning 2.0. */
function readVersion(text: string, strict: boolean): Version | undefined {
  if (strict) {
    const parts = strictForm.exec(text);
    if (!parts) return undefined;
    return { numbers: parts.slice(1, 4).map(Number), preRelease: parts[4] ? parts[4].split(".") : [] };
  }
  const parts = lenientForm.exec(text);
  if (!parts) return undefined;
  const numbers = (parts[1] ?? "").split(".").map(Number);
  while (numbers.length < 3) numbers.push(0);
  return { numbers, preRelease: parts[2] ? parts[2].split(".") : [] };
}

/** Negative, zero or positive as a is before, equal to, or after b. */
function compareVersions(a: Version, b: Version): number {
  for (let i = 0; i < Math.max(a.numbers.length, b.numbers.length); i++) {
    const difference = (a.numbers[i] ?? 0) - (b.numbers[i] ?? 0);
    if (difference !== 0) return difference;
  }
  if (a.preRelease.length === 0 || b.preRelease.length === 0) return b.preRelease.length - a.preRelease.length;
  for (let i = 0; i < Math.max(a.preRelease.length, b.preRelease.length); i++) {
    const difference = compareIdentifiers(a.preRelease[i], b.preRelease[i]);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Numbers come before words; a shorter list before a longer one that begins so. */
function compareIdentifiers(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return (a === undefined ? 0 : 1) - (b === undefined ? 0 : 1);
  const numberA = /^\d+$/.test(a) ? Number(a) : undefined;
  const numberB = /^\d+$/.test(b) ? Number(b) : undefined;
  if (numberA !== undefined && numberB !== undefined) return numberA - numberB;
  if (numberA !== undefined) return -1;
  if (numberB !== undefined) return 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Whether a version satisfies all parts of a requirement such as ">= 1.2, < 2.0". Operators: =, !=, >, >=, <, <=, and
 * "~>" (the last part given may grow). Undefined: the requirement itself is none.
 */
export function satisfies(text: string, requirement: string, strict: boolean): boolean | undefined {
  const conditions: { operator: string; wanted: Version; partCount: number }[] = [];
  for (const part of requirement.split(",")) {
    const pieces = /^\s*(=|!=|>=|<=|>|<|~>)?\s*(\S+)\s*$/.exec(part);
    const wanted = pieces?.[2] === undefined ? undefined : readVersion(pieces[2], strict);
    if (!pieces || !wanted) return undefined;
    const partCount = (/^v?([\d.]+)/.exec(pieces[2] ?? "")?.[1] ?? "").split(".").length;
    conditions.push({ operator: pieces[1] ?? "=", wanted, partCount });
  }
  const version = readVersion(text.trim(), strict);
  if (!version) return false;
  return conditions.every(({ operator, wanted, partCount }) => {
    const order = compareVersions(version, wanted);
    if (operator === "=") return order === 0;
    if (operator === "!=") return order !== 0;
    if (operator === ">") return order > 0;
    if (operator === ">=") return order >= 0;
    if (operator === "<") return order < 0;
    if (operator === "<=") return order <= 0;
    const kept = Math.max(partCount - 1, 1);
    return order >= 0 && wanted.numbers.slice(0, kept).every((number, index) => version.numbers[index] === number);
  });
}
