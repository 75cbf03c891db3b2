import { countStart, randomText } from "@muster/foundation";
import type { Runtime } from "../runtime/runtime.ts";
import { createStateClient, type StateClient } from "../state/state-client.ts";

const stateKey = "sdk/state";
const startsKey = "sdk/starts";

/** A framework's own state, and the count of its starts, which makes its task ids unique. */
export class FrameworkMemory<S> {
  readonly #runtime: Runtime;
  readonly #isDurable: boolean;
  readonly #client: StateClient;
  #state: S;
  #version = 0;
  #epoch = 0;
  readonly #changes: { change: (state: S) => S; done: () => void }[] = [];

  constructor(
    runtime: Runtime,
    address: string | readonly string[],
    framework: string,
    isDurable: boolean,
    initialState: S,
  ) {
    this.#runtime = runtime;
    this.#isDurable = isDurable;
    this.#state = initialState;
    this.#client = createStateClient(runtime, { address, framework });
  }

  get state(): S {
    return this.#state;
  }

  /** Higher at each start. */
  get epoch(): number {
    return this.#epoch;
  }

  open(done: () => void): void {
    if (!this.#isDurable) {
      this.#epoch = this.#runtime.clock.epochMs();
      this.#runtime.clock.after(0, done);
      return;
    }
    this.#client.get(startsKey, (result) => {
      if (!result.ok) return this.#again(result.error.message, () => this.open(done));
      const last = result.value ? Number.parseInt(result.value.value.toString(), 10) : 0;
      const epoch = countStart(last, this.#runtime.clock.epochMs());
      // The mark tells our own write from that of another process that counted to the same number.
      const put = Buffer.from(`${epoch} ${randomText(this.#runtime.random, 12)}`);
      this.#client.transact([{ key: startsKey, version: result.value?.version ?? 0, put }], (written) => {
        if (!written.ok) return this.#again(written.error.message, () => this.open(done));
        this.#epoch = epoch;
        this.#read(done);
      });
    });
  }

  /** Applies a change and calls back once it is durable. Changes follow one another. */
  update(change: (state: S) => S, done: () => void): void {
    this.#changes.push({ change, done });
    if (this.#changes.length === 1) this.#write();
  }

  close(): void {
    this.#client.close();
  }

  #read(done: () => void): void {
    this.#client.get(stateKey, (result) => {
      if (!result.ok) return this.#again(result.error.message, () => this.#read(done));
      if (result.value) {
        this.#state = JSON.parse(result.value.value.toString()) as S;
        this.#version = result.value.version;
      }
      done();
    });
  }

  #write(): void {
    const next = this.#changes[0];
    if (next === undefined) return;
    const state = next.change(this.#state);
    const finish = (): void => {
      this.#state = state;
      this.#changes.shift();
      next.done();
      this.#write();
    };
    if (!this.#isDurable) {
      this.#runtime.clock.after(0, finish);
      return;
    }
    const put = Buffer.from(JSON.stringify(state ?? null));
    this.#client.transact([{ key: stateKey, version: this.#version, put }], (result) => {
      if (result.ok) {
        this.#version = result.value[0] ?? this.#version + 1;
        finish();
        // Another process has changed it: the change applies to what is there now.
      } else if (result.error.kind === "stale") this.#read(() => this.#write());
      else this.#again(result.error.message, () => this.#write());
    });
  }

  #again(reason: string, retry: () => void): void {
    this.#runtime.log.warn({ reason }, "the framework's state can't be reached, will try again");
    this.#runtime.clock.after(1_000, retry);
  }
}
