import { type Cancel, type Clock, emptyMessage, MusterError, type Outlet, type Transport } from "@muster/foundation";
import type { TakeRequest, TakeResponse } from "@muster/proto";
import type { FilesArrival, FilesWish, GroupFiles } from "../world/group-files.ts";

/** The files of a launch must have come within so long. */
export const fetchMsMax = 600_000;
/** An agent that is out of reach is asked again for so long, counted from its last word. */
export const silenceMsMax = 30_000;
/** Between two attempts. */
export const fetchRetryMs = 1_000;

const notWanted = "they are not wanted any more";

export interface FetchDeps {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly groupFiles: GroupFiles;
}

/**
 * Copies what a launch has left on another agent. One message of pieces is asked for at a time, when what came before is
 * written: so memory holds one. Answers once, after the call has returned: why they can't be had, or nothing.
 */
export function fetchFiles(
  deps: FetchDeps,
  wish: FilesWish,
  isWanted: () => boolean,
  done: (failure: string | undefined) => void,
): void {
  new Fetch(deps, wish, isWanted, done).begin();
}

class Fetch {
  readonly #deps: FetchDeps;
  readonly #wish: FilesWish;
  readonly #isWanted: () => boolean;
  readonly #done: (failure: string | undefined) => void;
  readonly #deadline: Cancel;
  #heardMs: number;
  #arrival: FilesArrival | undefined;
  #outlet: Outlet<TakeRequest> | undefined;
  #isWriting = false;
  #isOver = false;

  constructor(deps: FetchDeps, wish: FilesWish, isWanted: () => boolean, done: (failure: string | undefined) => void) {
    this.#deps = deps;
    this.#wish = wish;
    this.#isWanted = isWanted;
    this.#done = done;
    this.#heardMs = deps.clock.monotonicMs();
    this.#deadline = deps.clock.after(fetchMsMax, () =>
      this.#fail(`its files had not come after ${fetchMsMax / 60_000} minutes`),
    );
  }

  begin(): void {
    if (this.#isOver) return;
    if (!this.#isWanted()) {
      this.#fail(notWanted);
      return;
    }
    const { address, frameworkId, launchId, token } = this.#wish;
    const arrival = this.#deps.groupFiles.receive(this.#wish);
    this.#arrival = arrival;
    this.#outlet = this.#deps.transport.open("LeftFiles.Take", address, {
      receive: (message) => this.#receive(message, arrival),
      drained: () => {},
      closed: (error) => this.#closed(error, arrival),
    });
    this.#outlet.send({ frameworkId, launchId, token });
  }

  #receive({ pieces }: TakeResponse, arrival: FilesArrival): void {
    if (this.#isOver || this.#arrival !== arrival) return;
    if (this.#isWriting) {
      this.#fail("it gives what it was not asked for");
      return;
    }
    this.#heardMs = this.#deps.clock.monotonicMs();
    this.#isWriting = true;
    arrival.write(pieces, (failure) => {
      this.#isWriting = false;
      if (this.#isOver || this.#arrival !== arrival) return;
      if (failure !== undefined) this.#fail(failure);
      else if (!this.#isWanted()) this.#fail(notWanted);
      else this.#outlet?.send(emptyMessage("TakeRequest"));
    });
  }

  #closed(error: MusterError | undefined, arrival: FilesArrival): void {
    if (this.#isOver || this.#arrival !== arrival) return;
    if (error) this.#failed(error, arrival);
    else if (this.#isWriting) this.#fail("it gave a part of them");
    else {
      this.#finish();
      arrival.settle((failure) => {
        if (failure === undefined) this.#done(undefined);
        else arrival.discard(() => this.#done(failure));
      });
    }
  }

  /** An agent that is busy, or away for a moment, is asked again from the beginning. */
  #failed(error: MusterError, arrival: FilesArrival): void {
    const silentMs = this.#deps.clock.monotonicMs() - this.#heardMs;
    const isBusy = error.kind === "too-many" && error.retryAfterMs !== undefined;
    const mayChange = isBusy || (error.kind === "unavailable" && silentMs < silenceMsMax);
    if (!mayChange || !this.#isWanted()) {
      this.#fail(error.message);
      return;
    }
    if (isBusy) this.#heardMs = this.#deps.clock.monotonicMs();
    this.#arrival = undefined;
    this.#isWriting = false;
    arrival.discard(() => this.#deps.clock.after(fetchRetryMs, () => this.begin()));
  }

  #fail(failure: string): void {
    if (this.#isOver) return;
    this.#finish(new MusterError("cancelled", failure));
    const told = `the files of its predecessor can't be had from ${this.#wish.address}: ${failure}`;
    if (this.#arrival) this.#arrival.discard(() => this.#done(told));
    else this.#done(told);
  }

  #finish(error?: MusterError): void {
    this.#isOver = true;
    this.#deadline();
    this.#outlet?.end(error);
  }
}
