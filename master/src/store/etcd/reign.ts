import { type Cancel, type Clock, countStart, type Log, MusterError, type Random } from "@muster/foundation";
import type { EtcdConnection } from "./connection.ts";
import type { Layout } from "./keys.ts";
import type { Leaders } from "./leaders.ts";
import { Lease } from "./lease.ts";
import { checkServer } from "./server-limits.ts";
import { type Compare, compareEqual, compareTarget, type RequestOp } from "./wire.ts";

/** Between two attempts to stand for election. */
const retryMs = 500;

interface Parts {
  readonly clock: Clock;
  readonly random: Random;
  readonly connection: EtcdConnection;
  readonly log: Log;
  readonly layout: Layout;
  readonly leaders: Leaders;
  readonly leaseSeconds: number;
}

/** One candidate's way to the lead and its time in it. It leads once at most, and never again after that. */
export class Reign {
  readonly #parts: Parts;
  readonly #candidate: string;
  readonly #elected: (epoch: number) => void;
  readonly #lost: (error: MusterError) => void;
  #state: "standing" | "leading" | "over" = "standing";
  #lease: Lease | undefined;
  #key = Buffer.alloc(0);
  #createRevision = 0;
  /** Of our key: raised to shut out what was sent before. */
  #modRevision = 0;
  #unfollow: Cancel = () => {};
  #retry: Cancel = () => {};
  /** Writes that wait until it is sure that an earlier one can't come after them. */
  #settling: ((error: MusterError | undefined) => void)[] | undefined;

  constructor(parts: Parts, candidate: string, elected: (epoch: number) => void, lost: (error: MusterError) => void) {
    this.#parts = parts;
    this.#candidate = candidate;
    this.#elected = elected;
    this.#lost = lost;
    this.#prepare();
  }

  holds(): boolean {
    return this.#state === "leading" && this.#lease?.holds() === true;
  }

  /** Why nothing may be written now, if so. */
  refusal(): MusterError | undefined {
    if (this.holds()) return undefined;
    // Timers come late to a process that was stopped: whoever asks first finds it out.
    if (this.#state === "leading") this.#end(new MusterError("not-leader", "its lease was not renewed in time"));
    return new MusterError("not-leader", "this master does not lead");
  }

  /** What must hold for a write to be done: our key is as it was when we last touched it. */
  guard(): Compare {
    const { result, target } = { result: compareEqual, target: compareTarget.modRevision };
    return { result, target, key: this.#key, modRevision: this.#modRevision };
  }

  /** Reads our key, for a write whose guard may not hold. */
  guardLook(): RequestOp {
    return { range: { key: this.#key, keysOnly: true } };
  }

  /** What became of our key when a write was refused: true if the write is to be made again, false if the guard held. */
  judge(
    found: { readonly createRevision: number; readonly modRevision: number } | undefined,
  ): "again" | "held" | "over" {
    if (found === undefined || found.createRevision !== this.#createRevision) {
      this.#end(new MusterError("not-leader", "another master leads: its key in etcd is gone"));
      return "over";
    }
    if (found.modRevision === this.#modRevision) return "held";
    this.#modRevision = found.modRevision;
    return "again";
  }

  /** A write was sent and not answered. Later ones wait until it can't be done any more, or was. */
  inDoubt(): void {
    if (this.#settling || this.#state !== "leading") return;
    this.#settling = [];
    this.#settle();
  }

  /** Calls back when a write may be sent. */
  whenSettled(done: (error: MusterError | undefined) => void): void {
    if (this.#settling) this.#settling.push(done);
    else done(this.refusal());
  }

  resign(done: () => void): void {
    this.#state = "over";
    this.#release();
    if (this.#lease) this.#lease.revoke(done);
    else done();
  }

  #prepare(): void {
    const { connection, log, layout } = this.#parts;
    checkServer(connection, Buffer.from(layout.epoch), (fault) => {
      if (this.#state === "over") return;
      if (fault === undefined) return this.#stand();
      if (fault.kind !== "unavailable") return this.#end(fault);
      log.warn({ reason: fault.message }, "etcd does not answer yet");
      this.#again(() => this.#prepare());
    });
  }

  #stand(): void {
    const { log, leaseSeconds } = this.#parts;
    const failed = (error: MusterError): void => {
      if (this.#state === "over") return;
      log.warn({ reason: error.message }, "can't stand for election yet");
      this.#again(() => this.#stand());
    };
    Lease.grant(this.#parts, leaseSeconds, {
      granted: (lease) => {
        this.#lease = lease;
        if (this.#state === "over") lease.revoke(() => {});
        else this.#announce(lease);
      },
      failed,
      lost: (error) => {
        this.#unfollow();
        if (this.#state === "leading") this.#end(error);
        else failed(error);
      },
    });
  }

  /** Puts our key, once: it is known by the id of the lease. */
  #announce(lease: Lease): void {
    const { connection, layout, leaders } = this.#parts;
    this.#key = Buffer.from(`${layout.leaders}${lease.id}`);
    const put = { key: this.#key, value: Buffer.from(this.#candidate), lease: lease.id };
    const absent = { result: compareEqual, target: compareTarget.createRevision, key: this.#key, createRevision: 0 };
    const request = { compare: [absent], success: [{ put }], failure: [this.guardLook()] };
    connection.call("txn", request, "again", (result) => {
      if (this.#state === "over" || this.#lease !== lease || !lease.holds()) return;
      if (!result.ok) {
        this.#again(() => this.#lease === lease && lease.holds() && this.#announce(lease));
        return;
      }
      const { succeeded, responses, header } = result.value;
      const there = responses[0]?.range?.kvs[0];
      this.#createRevision = succeeded ? (header?.revision ?? 0) : (there?.createRevision ?? 0);
      this.#modRevision = succeeded ? this.#createRevision : (there?.modRevision ?? 0);
      this.#unfollow();
      const key = this.#key.toString();
      this.#unfollow = leaders.follow((facts) => {
        if (facts.key !== key || this.#state !== "standing") return;
        this.#unfollow();
        this.#begin(lease);
      });
      leaders.look();
    });
  }

  /** Counts the reign. In doubt it is counted twice: epochs must rise, and may skip. */
  #begin(lease: Lease): void {
    const { clock, connection, layout } = this.#parts;
    const key = Buffer.from(layout.epoch);
    const again = (): void => this.#again(() => this.#lease === lease && lease.holds() && this.#begin(lease));
    connection.call("range", { key }, "again", (found) => {
      if (this.#state !== "standing" || !lease.holds()) return;
      if (!found.ok) return again();
      const before = found.value.kvs[0];
      const epoch = countStart(before ? Number(before.value.toString()) : 0, clock.epochMs());
      const unchanged = { result: compareEqual, target: compareTarget.version, key, version: before?.version ?? 0 };
      const success = [{ put: { key, value: Buffer.from(String(epoch)) } }];
      const request = { compare: [this.guard(), unchanged], success, failure: [] };
      connection.call("txn", request, "once", (result) => {
        if (this.#state !== "standing" || !lease.holds()) return;
        if (!result.ok || !result.value.succeeded) return again();
        this.#state = "leading";
        this.#elected(epoch);
      });
    });
  }

  /** Touches our key, so that what was sent under its former revision is refused. */
  #settle(): void {
    const { connection } = this.#parts;
    const lease = this.#lease;
    if (lease === undefined || this.#state !== "leading") return;
    const { createRevision } = { createRevision: this.#createRevision };
    const ours = { result: compareEqual, target: compareTarget.createRevision, key: this.#key, createRevision };
    const put = { key: this.#key, value: Buffer.from(this.#candidate), lease: lease.id };
    connection.call("txn", { compare: [ours], success: [{ put }], failure: [] }, "once", (result) => {
      if (this.#state !== "leading") return;
      if (!result.ok) return this.#again(() => this.#settle());
      if (!result.value.succeeded) {
        this.judge(undefined);
        return;
      }
      this.#modRevision = result.value.header?.revision ?? 0;
      this.#letGo(undefined);
    });
  }

  #letGo(error: MusterError | undefined): void {
    const waiting = this.#settling ?? [];
    this.#settling = undefined;
    for (const done of waiting) done(error);
  }

  #again(work: () => void): void {
    this.#retry();
    this.#retry = this.#parts.clock.after(retryMs, () => {
      if (this.#state !== "over") work();
    });
  }

  #release(): void {
    this.#unfollow();
    this.#retry();
    this.#letGo(new MusterError("not-leader", "this master does not lead"));
  }

  #end(error: MusterError): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#release();
    this.#lease?.revoke(() => {});
    this.#parts.log.warn({ reason: error.message }, "leads no more");
    this.#parts.clock.after(0, () => this.#lost(error));
  }
}
