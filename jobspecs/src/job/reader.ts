/** A job from the wire is not one: `field` is the path, e.g. `groups[0].count`. */
export class JobInvalid extends Error {
  readonly kind = "invalid";
  readonly field: string;
  readonly reason: string;

  constructor(field: string, reason: string) {
    super(`${field}: ${reason}`);
    this.name = "JobInvalid";
    this.field = field;
    this.reason = reason;
  }
}

/** Reads one object of untrusted JSON, field by field; `done` refuses what nobody read. */
export class Reader {
  readonly path: string;
  readonly #fields: ReadonlyMap<string, unknown>;
  readonly #read = new Set<string>();

  constructor(value: unknown, path: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new JobInvalid(path === "" ? "job" : path, "must be an object");
    }
    this.path = path;
    this.#fields = new Map(Object.entries(value));
  }

  at(name: string): string {
    return this.path === "" ? name : `${this.path}.${name}`;
  }

  raw(name: string): unknown {
    this.#read.add(name);
    return this.#fields.get(name);
  }

  has(name: string): boolean {
    return this.#fields.has(name);
  }

  fail(name: string, reason: string): never {
    throw new JobInvalid(this.at(name), reason);
  }

  text(name: string, lengthMax = 64 * 1024): string {
    const value = this.raw(name);
    if (typeof value !== "string") return this.fail(name, "must be text");
    return value.length > lengthMax ? this.fail(name, `must have at most ${lengthMax} characters`) : value;
  }

  name(name: string, lengthMax = 63): string {
    const value = this.text(name, lengthMax);
    return /^[\x21-\x7e]+$/.test(value) && !value.includes("/")
      ? value
      : this.fail(name, "must be visible ASCII without spaces and slashes");
  }

  integer(name: string, min: number, max: number): number {
    const value = this.raw(name);
    if (typeof value !== "number" || !Number.isSafeInteger(value)) return this.fail(name, "must be a whole number");
    return value < min || value > max ? this.fail(name, `must be ${min} to ${max}`) : value;
  }

  /** Milliseconds; at most a hundred years. */
  duration(name: string): number {
    return this.integer(name, 0, 100 * 365 * 86_400_000);
  }

  bool(name: string): boolean {
    const value = this.raw(name);
    return typeof value === "boolean" ? value : this.fail(name, "must be true or false");
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T {
    const value = this.raw(name);
    return values.find((candidate) => candidate === value) ?? this.fail(name, `must be one of ${values.join(", ")}`);
  }

  list<T>(name: string, countMax: number, read: (value: unknown, path: string) => T): T[] {
    const value = this.raw(name);
    if (!Array.isArray(value)) return this.fail(name, "must be a list");
    if (value.length > countMax) return this.fail(name, `must have at most ${countMax} elements`);
    return value.map((item, index) => read(item, `${this.at(name)}[${index}]`));
  }

  texts(name: string): string[] {
    return this.list(name, 10_000, (value, path) => {
      if (typeof value !== "string") throw new JobInvalid(path, "must be text");
      return value;
    });
  }

  map<T>(name: string, read: (value: unknown, path: string) => T): Record<string, T> {
    const value = this.raw(name);
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return this.fail(name, "must be an object");
    const entries = Object.entries(value);
    if (entries.length > 10_000) return this.fail(name, "must have at most 10000 entries");
    return Object.fromEntries(entries.map(([key, item]) => [key, read(item, `${this.at(name)}.${key}`)]));
  }

  textMap(name: string): Record<string, string> {
    return this.map(name, (value, path) => {
      if (typeof value !== "string") throw new JobInvalid(path, "must be text");
      return value;
    });
  }

  done(): void {
    for (const name of this.#fields.keys()) if (!this.#read.has(name)) this.fail(name, "is not known");
  }
}

/** Refuses a list in which two elements have the same name. */
export function refuseTwice(names: readonly string[], path: string): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw new JobInvalid(path, `"${name}" is there twice`);
    seen.add(name);
  }
}

/** Reads a value of that shape, and refuses what else is there. */
export const typed = <T>(read: (reader: Reader) => T) => {
  return (value: unknown, path: string): T => {
    const reader = new Reader(value, path);
    const made = read(reader);
    reader.done();
    return made;
  };
};
