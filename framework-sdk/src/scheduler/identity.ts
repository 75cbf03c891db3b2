import { type Clock, type Random, randomText } from "@muster/foundation";
import type { StateClient } from "../state/state-client.ts";

/** Under which key of State a durable framework's id is kept. */
export const frameworkIdKey = "sdk/framework-id";

/** A framework's id: made by the framework, and durable before it is used for the first time. */
export interface Identity {
  /** Calls back with the id, sooner or later: while State does not answer, it is asked again. Returns a cancel. */
  obtain(done: (frameworkId: string) => void): () => void;
  /** The master says that this framework is over: the next id is a new one. */
  isOver(frameworkId: string): void;
}

/** An id that ends with the process. */
export function passingIdentity(clock: Clock, random: Random): Identity {
  let id = newFrameworkId(clock, random);
  return {
    obtain: (done) => clock.after(0, () => done(id)),
    isOver: () => {
      id = newFrameworkId(clock, random);
    },
  };
}

/** An id that outlives the process. `state` must be one that asks again without end. */
export function durableIdentity(clock: Clock, random: Random, state: StateClient): Identity {
  let known: string | undefined;
  let over: string | undefined;
  return {
    obtain(done) {
      let cancelled = false;
      const found = (id: string): void => {
        known = id;
        if (!cancelled) done(id);
      };
      const keep = (version: number): void => {
        const id = newFrameworkId(clock, random);
        state.transact([{ key: frameworkIdKey, version, put: Buffer.from(id) }], (result) => {
          if (result.ok) found(id);
          else read();
        });
      };
      const read = (): void => {
        if (cancelled) return;
        state.get(frameworkIdKey, (result) => {
          if (cancelled) return;
          if (!result.ok) clock.after(1_000, read);
          else if (result.value === undefined) keep(0);
          else if (result.value.value.toString() === over) keep(result.value.version);
          else found(result.value.value.toString());
        });
      };
      if (known !== undefined) clock.after(0, () => found(known as string));
      else read();
      return () => {
        cancelled = true;
      };
    },
    isOver(frameworkId) {
      over = frameworkId;
      known = undefined;
    },
  };
}

function newFrameworkId(clock: Clock, random: Random): string {
  return `framework-${clock.epochMs().toString(36)}-${randomText(random, 8)}`;
}
