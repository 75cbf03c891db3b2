import {
  batchShape,
  type Cancel,
  type Clock,
  type ErrorKind,
  emptyMessage,
  type Inlet,
  invalid,
  MusterError,
  Outbox,
  type Outlet,
} from "@muster/foundation";
import type { JobReply, Refusal, ServeAnnouncement, ServeRequest, ServeResponse } from "@muster/proto";
import type { MasterState } from "../core/model.ts";

/** Calls that wait for one framework; beyond, callers are told to come back. */
export const callsPerOwnerMax = 1_024;
/** Bytes of a job call and of its answer. */
export const jobBytesMax = 1024 * 1024;

const shape = batchShape<ServeResponse>(["calls", "cancelledCallIds"], () => emptyMessage("ServeResponse"));

/** What a caller hears of his call. */
export interface CallListener {
  /** One answer; more may follow if `end` is false. */
  replied(payload: Buffer, end: boolean): void;
  failed(error: MusterError): void;
}

interface OpenCall {
  readonly listener: CallListener;
  readonly timer: Cancel | undefined;
}

/** A framework that takes care of jobs, while its stream is open. */
export class Owner {
  readonly frameworkId: string;
  readonly name: string;
  readonly types: readonly string[];
  readonly outbox: Outbox<ServeResponse>;
  readonly calls = new Map<number, OpenCall>();

  constructor(frameworkId: string, name: string, types: readonly string[], outbox: Outbox<ServeResponse>) {
    this.frameworkId = frameworkId;
    this.name = name;
    this.types = types;
    this.outbox = outbox;
  }
}

/** Which framework takes care of which type of job. Types stay known while their framework is away. */
export class Owners {
  readonly #state: () => MasterState;
  readonly #clock: Clock;
  /** By framework id, of open streams. */
  readonly #owners = new Map<string, Owner>();
  #connectionCount = 0;
  #callCount = 0;
  #flushing = false;

  constructor(state: () => MasterState, clock: Clock) {
    this.#state = state;
    this.#clock = clock;
  }

  /** Those whose stream is open, in the order in which they came. */
  present(): Owner[] {
    return [...this.#owners.values()];
  }

  ofType(type: string): Owner | undefined {
    for (const owner of this.#owners.values()) if (owner.types.includes(type)) return owner;
    return undefined;
  }

  /** Types that a framework takes care of that is away, with its name. */
  away(): Map<string, string> {
    const away = new Map<string, string>();
    for (const framework of this.#state().frameworks.values()) {
      if (framework.state === "completed" || this.#owners.has(framework.id)) continue;
      for (const type of framework.jobTypes) if (this.ofType(type) === undefined) away.set(type, framework.name);
    }
    return away;
  }

  /** A framework's side of the relay. */
  serve(outlet: Outlet<ServeResponse>): Inlet<ServeRequest> {
    const connection = ++this.#connectionCount;
    let sequence = 0;
    const outbox = new Outbox(outlet, shape, undefined, (message) => {
      message.header = { epoch: this.#state().epoch, connection, sequence: ++sequence };
    });
    let owner: Owner | undefined;
    return {
      receive: (message) => {
        if (owner === undefined) {
          const announced = this.#announce(message.announcement, outbox);
          if (announced instanceof MusterError) outbox.end(announced);
          else owner = announced;
        }
        if (owner === undefined || this.#owners.get(owner.frameworkId) !== owner) return;
        for (const reply of message.replies) this.#take(owner, reply);
      },
      drained: () => outbox.drained(),
      closed: () => {
        if (owner) this.#lose(owner);
      },
    };
  }

  #announce(announcement: ServeAnnouncement | null, outbox: Outbox<ServeResponse>): Owner | MusterError {
    if (announcement === null) return invalid("announcement", "must be in the first message");
    const { frameworkId, jobTypes } = announcement;
    const framework = this.#state().frameworks.get(frameworkId);
    if (framework === undefined || framework.state === "completed")
      return new MusterError("unavailable", `framework ${frameworkId} is not subscribed`, {
        field: "announcement.framework_id",
        retryAfterMs: 200,
      });
    for (const [index, type] of jobTypes.entries()) {
      const other = this.ofType(type);
      if (other !== undefined && other.frameworkId !== frameworkId)
        return new MusterError("exists", `framework ${other.name} takes care of jobs of type "${type}"`, {
          field: `announcement.job_types[${index}]`,
        });
    }
    const old = this.#owners.get(frameworkId);
    if (old) {
      this.#lose(old);
      old.outbox.end(new MusterError("wrong-state", "framework failed over: a newer stream took its place"));
    }
    const owner = new Owner(frameworkId, framework.name, [...jobTypes], outbox);
    this.#owners.set(frameworkId, owner);
    return owner;
  }

  #lose(owner: Owner): void {
    if (this.#owners.get(owner.frameworkId) === owner) this.#owners.delete(owner.frameworkId);
    const calls = [...owner.calls.values()];
    owner.calls.clear();
    for (const { listener, timer } of calls) {
      timer?.();
      listener.failed(ownerAway(owner.types[0] ?? "", owner.name));
    }
  }

  endAll(error: MusterError): void {
    for (const owner of this.present()) {
      this.#lose(owner);
      owner.outbox.end(error);
    }
  }

  /** Asks an owner. `timeoutMs` 0: the call has no end of its own. */
  call(
    owner: Owner,
    method: string,
    payload: Buffer,
    principal: string,
    timeoutMs: number,
    listener: CallListener,
  ): Cancel {
    if (payload.length > jobBytesMax) {
      listener.failed(new MusterError("too-many", `a job call has at most ${jobBytesMax} bytes`));
      return () => {};
    }
    if (owner.calls.size >= callsPerOwnerMax) {
      const message = `${callsPerOwnerMax} calls wait for framework ${owner.name}`;
      listener.failed(new MusterError("too-many", message, { retryAfterMs: 1_000 }));
      return () => {};
    }
    const callId = ++this.#callCount;
    const timer =
      timeoutMs > 0
        ? this.#clock.after(timeoutMs, () => {
            if (!owner.calls.delete(callId)) return;
            this.#cancel(owner, callId);
            listener.failed(
              new MusterError("too-late", `framework ${owner.name} did not answer within ${timeoutMs} ms`),
            );
          })
        : undefined;
    owner.calls.set(callId, { listener, timer });
    owner.outbox.add("calls", { callId, method, payload, deadlineMs: timeoutMs, principal }, payload.length + 64);
    this.#flushSoon();
    return () => {
      if (!owner.calls.delete(callId)) return;
      timer?.();
      this.#cancel(owner, callId);
    };
  }

  #cancel(owner: Owner, callId: number): void {
    owner.outbox.add("cancelledCallIds", callId, 8);
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.#clock.after(0, () => {
      this.#flushing = false;
      for (const owner of this.#owners.values()) owner.outbox.flush();
    });
  }

  #take(owner: Owner, reply: JobReply): void {
    const call = owner.calls.get(reply.callId);
    if (call === undefined) return;
    if (reply.end || reply.refusal) {
      owner.calls.delete(reply.callId);
      call.timer?.();
    }
    if (reply.refusal) call.listener.failed(refusalError(reply.refusal));
    else call.listener.replied(reply.payload, reply.end);
  }
}

export function ownerAway(type: string, name: string): MusterError {
  return new MusterError("unavailable", `framework ${name}, which takes care of jobs of type "${type}", is away`, {
    retryAfterMs: 500,
  });
}

const kinds: ReadonlySet<string> = new Set<ErrorKind>([
  "invalid",
  "unauthenticated",
  "forbidden",
  "not-found",
  "exists",
  "stale",
  "offer-gone",
  "wrong-state",
  "over-quota",
  "too-many",
  "slow-reader",
  "not-leader",
  "unavailable",
  "too-late",
  "cancelled",
  "unsupported",
  "internal",
]);

function refusalError({ kind, message, field, retryAfterMs }: Refusal): MusterError {
  return new MusterError(kinds.has(kind) ? (kind as ErrorKind) : "internal", message, {
    ...(field === "" ? {} : { field }),
    ...(retryAfterMs === 0 ? {} : { retryAfterMs }),
  });
}
