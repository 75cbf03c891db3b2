import { type Cancel, type Clock, MusterError, type Random } from "@muster/foundation";
import { attemptTimeoutMs, type EtcdConnection } from "./connection.ts";

/** Renewals in the time of a lease. */
const renewalsPerLease = 3;
/** The holder acts on a lease for so much of its time, counted from when it *asked* for the last renewal. */
const trustedFraction = 2 / 3;
/** Ids of our own choice: one that was asked for twice is recognised, and it is a safe number. */
const idBits = 2 ** 52;

/**
 * A lease, renewed until it is lost or given back. Whether it holds is judged by the local monotonic clock alone, and
 * from before the request was sent: etcd may end it later than its holder thinks, never earlier.
 */
export class Lease {
  readonly id: number;
  readonly #clock: Clock;
  readonly #connection: EtcdConnection;
  readonly #ttlMs: number;
  readonly #lost: (error: MusterError) => void;
  #trustedUntilMs = 0;
  #isOver = false;
  /** Who waits for etcd's word that it has the lease back; undefined unless it was asked to take it. */
  #revoking: (() => void)[] | undefined;
  #renewal: Cancel = () => {};
  #expiry: Cancel = () => {};
  #stream: Cancel = () => {};

  private constructor(
    deps: { clock: Clock; connection: EtcdConnection },
    id: number,
    ttlMs: number,
    lost: (error: MusterError) => void,
  ) {
    this.#clock = deps.clock;
    this.#connection = deps.connection;
    this.id = id;
    this.#ttlMs = ttlMs;
    this.#lost = lost;
  }

  /** Asks for a lease. Of `granted` and `failed` one is called; `lost` once, later, if it ends by itself. */
  static grant(
    deps: { clock: Clock; random: Random; connection: EtcdConnection },
    seconds: number,
    answers: { granted(lease: Lease): void; failed(error: MusterError): void; lost(error: MusterError): void },
  ): void {
    const { clock, random, connection } = deps;
    const id = 1 + Math.floor(random.next() * (idBits - 1));
    const askedAtMs = clock.monotonicMs();
    connection.call("leaseGrant", { ttl: seconds, id }, "once", (result) => {
      if (!result.ok) return answers.failed(result.error);
      // etcd may give a longer one than was asked for; ours is over in time for those who wait.
      const lease = new Lease(deps, id, Math.min(seconds, result.value.ttl) * 1_000, answers.lost);
      lease.#trust(askedAtMs);
      answers.granted(lease);
    });
  }

  /** O(1), one look at the clock: to be asked before each batch of effects. */
  holds(): boolean {
    return !this.#isOver && this.#clock.monotonicMs() < this.#trustedUntilMs;
  }

  /** Gives it back, so that others need not wait for its end. */
  revoke(done: () => void): void {
    // Asked twice, by whoever resigns and by whoever closes the store: the latter must not hang up on the former.
    if (this.#revoking) {
      this.#revoking.push(done);
      return;
    }
    if (this.#isOver) {
      done();
      return;
    }
    this.#end();
    const waiting = [done];
    this.#revoking = waiting;
    this.#connection.call("leaseRevoke", { id: this.id }, "once", () => {
      this.#revoking = undefined;
      for (const told of waiting) told();
    });
  }

  #trust(askedAtMs: number): void {
    this.#trustedUntilMs = askedAtMs + this.#ttlMs * trustedFraction;
    this.#expiry();
    const leftMs = Math.max(1, Math.ceil(this.#trustedUntilMs - this.#clock.monotonicMs()));
    this.#expiry = this.#clock.after(leftMs, () =>
      this.#lose("its lease could not be renewed in time: etcd has not answered"),
    );
    this.#renewal();
    this.#renewal = this.#clock.after(this.#ttlMs / renewalsPerLease, () => this.#renew());
  }

  /** A stream for each renewal: it goes to whichever member answers now, and is never half open for longer. */
  #renew(): void {
    if (this.#isOver) return;
    const askedAtMs = this.#clock.monotonicMs();
    let isDone = false;
    const settle = (): void => {
      isDone = true;
      cancel();
      timeout();
    };
    const timeout = this.#clock.after(Math.min(attemptTimeoutMs, this.#ttlMs / renewalsPerLease), () => {
      if (isDone) return;
      settle();
      this.#connection.forsake();
      this.#renew();
    });
    const cancel = this.#connection.stream(
      "leaseKeepAlive",
      { id: this.id },
      ({ ttl }) => {
        if (isDone || this.#isOver) return;
        settle();
        if (ttl > 0) this.#trust(askedAtMs);
        else this.#lose("its lease has ended: it was not renewed in time");
      },
      () => {
        if (isDone || this.#isOver) return;
        settle();
        this.#renewal = this.#clock.after(100, () => this.#renew());
      },
    );
    this.#stream = settle;
  }

  #lose(reason: string): void {
    if (this.#isOver) return;
    this.#end();
    this.#lost(new MusterError("not-leader", reason));
  }

  #end(): void {
    this.#isOver = true;
    this.#renewal();
    this.#expiry();
    this.#stream();
  }
}
