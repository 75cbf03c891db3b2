import { createHook } from "node:async_hooks";

/** Kinds of asynchronous resources that something started behind the world's back, by type. */
export type ForeignWork = ReadonlyMap<string, number>;

/**
 * Runs `work` while everything that would let the outside in throws: `Date` without arguments, `Math.random`, timers,
 * microtasks, random ids. Gives back what asynchronous work was begun all the same (promises, files, sockets): it
 * would end outside of the world's time, so any of it is a bug.
 */
export function withPoisonedGlobals(work: () => void): ForeignWork {
  const foreign = new Map<string, number>();
  const hook = createHook({
    init(_id, type) {
      foreign.set(type, (foreign.get(type) ?? 0) + 1);
    },
  });
  const restores = poisons.map(({ holder, name, replacement }) => replace(holder, name, replacement));
  hook.enable();
  try {
    work();
  } finally {
    hook.disable();
    for (const restore of restores) restore();
  }
  return foreign;
}

/** Places in the stack of an error. */
const stackFramesMax = 10;

interface Poison {
  readonly holder: object;
  readonly name: string;
  readonly replacement: unknown;
}

const poisons: readonly Poison[] = [
  { holder: globalThis, name: "Date", replacement: poisonedDate() },
  ...thrower(Math, ["random"]),
  ...thrower(performance, ["now"]),
  ...thrower(crypto, ["randomUUID", "getRandomValues"]),
  ...thrower(process, ["hrtime", "nextTick"]),
  // Refusals are many, and nobody reads where they were made. A bug is found with less than test runners ask for.
  { holder: Error, name: "stackTraceLimit", replacement: stackFramesMax },
  ...thrower(globalThis, ["setTimeout", "setInterval", "setImmediate", "queueMicrotask"]),
];

function thrower(holder: object, names: readonly string[]): Poison[] {
  return names.map((name) => ({ holder, name, replacement: () => refuse(name) }));
}

function poisonedDate(): unknown {
  return new Proxy(Date, {
    construct(target, parameters, newTarget) {
      return parameters.length === 0 ? refuse("new Date()") : Reflect.construct(target, parameters, newTarget);
    },
    apply: () => refuse("Date()"),
    get: (target, name) => (name === "now" ? () => refuse("Date.now") : Reflect.get(target, name)),
  });
}

function refuse(name: string): never {
  throw new Error(
    `${name} was used in a simulated world: take time and chance from the Clock and Random you were given`,
  );
}

function replace(holder: object, name: string, replacement: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(holder, name);
  Object.defineProperty(holder, name, { value: replacement, configurable: true, writable: true });
  return () => {
    if (before === undefined) Reflect.deleteProperty(holder, name);
    else Object.defineProperty(holder, name, before);
  };
}
