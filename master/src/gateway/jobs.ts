import {
  type CallHandler,
  type Cancel,
  codecOf,
  type FollowHandler,
  invalid,
  MusterError,
  type Peer,
  type Result,
} from "@muster/foundation";
import { type JobSubmission, type JobSummary, type Messages, methods } from "@muster/proto";
import type { MasterHandlers } from "./guard.ts";
import { type CallListener, type Owner, type Owners, ownerAway } from "./owners.ts";
import type { ServedMethod } from "./rights.ts";

type JobHandlers = Pick<MasterHandlers, Extract<ServedMethod, `Jobs.${string}`>>;
type BySubmission = "Jobs.Validate" | "Jobs.Plan" | "Jobs.Run";
type ByName =
  | "Jobs.Stop"
  | "Jobs.Get"
  | "Jobs.History"
  | "Jobs.Runs"
  | "Jobs.Scale"
  | "Jobs.Force"
  | "Jobs.Revert"
  | "Jobs.Promote"
  | "Jobs.Deployments"
  | "Jobs.Steer"
  | "Jobs.Dispatch"
  | "Jobs.Rebalance";

/** Relays each call to the framework that takes care of the job. The master keeps nothing about jobs. */
export function serveJobs(owners: Owners, timeoutMs: number): JobHandlers {
  const relay = new JobRelay(owners, timeoutMs);
  const byName = <M extends ByName>(method: M): CallHandler<M> => relay.byName(method);
  return {
    "Jobs.Validate": relay.bySubmission("Jobs.Validate"),
    "Jobs.Plan": relay.bySubmission("Jobs.Plan"),
    "Jobs.Run": relay.bySubmission("Jobs.Run"),
    "Jobs.Stop": byName("Jobs.Stop"),
    "Jobs.Get": byName("Jobs.Get"),
    "Jobs.History": byName("Jobs.History"),
    "Jobs.Runs": byName("Jobs.Runs"),
    "Jobs.Scale": byName("Jobs.Scale"),
    "Jobs.Force": byName("Jobs.Force"),
    "Jobs.Revert": byName("Jobs.Revert"),
    "Jobs.Promote": byName("Jobs.Promote"),
    "Jobs.Deployments": byName("Jobs.Deployments"),
    "Jobs.Steer": byName("Jobs.Steer"),
    "Jobs.Dispatch": byName("Jobs.Dispatch"),
    "Jobs.Rebalance": relay.rebalance(),
    "Jobs.List": relay.list(),
    "Jobs.Watch": relay.watch(),
    "Jobs.Serve": (outlet) => owners.serve(outlet),
  };
}

/** Its owner may also lack a part of a job that it has: a group, a version. */
function isNobodysJob({ kind, field }: MusterError): boolean {
  return kind === "not-found" && (field === undefined || field === "" || field === "name");
}

class JobRelay {
  readonly #owners: Owners;
  readonly #timeoutMs: number;
  /** Names that are being taken in, so that two types can't get one name at the same moment. */
  readonly #running = new Map<string, string>();

  constructor(owners: Owners, timeoutMs: number) {
    this.#owners = owners;
    this.#timeoutMs = timeoutMs;
  }

  bySubmission<M extends BySubmission>(method: M): CallHandler<M> {
    const handler: CallHandler<"Jobs.Run"> = (request, peer, respond) => {
      const { job } = request;
      const owner = this.#ownerOf(job);
      if (owner instanceof MusterError) {
        respond({ ok: false, error: owner });
        return undefined;
      }
      const { name, type } = job as JobSubmission;
      if (method !== "Jobs.Run") return this.#ask(owner, method, request, peer, respond as never);
      const other = this.#running.get(name);
      if (other !== undefined && other !== type) {
        respond({ ok: false, error: nameTaken(name, other) });
        return undefined;
      }
      this.#running.set(name, type);
      const done = (result: Result<Messages["RunResponse"]>): void => {
        this.#running.delete(name);
        respond(result);
      };
      return this.#runIfUnique(owner, request, peer, done);
    };
    return handler as unknown as CallHandler<M>;
  }

  /** A name belongs to one type: every other owner says that it does not have it. */
  #runIfUnique(
    owner: Owner,
    request: Messages["RunRequest"],
    peer: Peer,
    done: (result: Result<Messages["RunResponse"]>) => void,
  ): Cancel {
    const name = request.job?.name ?? "";
    for (const [type, framework] of this.#owners.away()) {
      done({ ok: false, error: ownerAway(type, framework) });
      return () => {};
    }
    const others = this.#owners.present().filter((other) => other !== owner);
    let open = others.length;
    let over = false;
    let cancels: Cancel[] = [];
    const finish = (result: Result<Messages["RunResponse"]>): void => {
      if (over) return;
      over = true;
      for (const cancel of cancels) cancel();
      done(result);
    };
    const run = (): void => {
      cancels = [this.#ask(owner, "Jobs.Run", request, peer, finish)];
    };
    for (const other of others)
      cancels.push(
        this.#ask(other, "Jobs.Get", { name }, peer, (result) => {
          if (over) return;
          if (result.ok) finish({ ok: false, error: nameTaken(name, result.value.job?.summary?.type ?? "") });
          else if (result.error.kind !== "not-found") finish(result);
          else if (--open === 0) run();
        }),
      );
    if (others.length === 0) run();
    return () => {
      if (over) return;
      over = true;
      this.#running.delete(name);
      for (const cancel of cancels) cancel();
    };
  }

  #ownerOf(job: JobSubmission | null): Owner | MusterError {
    if (job === null) return invalid("job", "must be given");
    if (job.name === "") return invalid("job.name", "must not be empty");
    if (job.type === "") return invalid("job.type", "must not be empty");
    const owner = this.#owners.ofType(job.type);
    if (owner) return owner;
    const away = this.#owners.away();
    const name = away.get(job.type);
    if (name !== undefined) return ownerAway(job.type, name);
    const types = [...new Set([...this.#owners.present().flatMap(({ types }) => types), ...away.keys()])].sort();
    return invalid("job.type", `no framework takes care of "${job.type}"; there are: ${types.join(", ") || "none"}`);
  }

  /** Everybody is asked; one has it. Nobody has it only if nobody is away. */
  byName<M extends ByName>(method: M): CallHandler<M> {
    const handler: CallHandler<"Jobs.Get"> = (request, peer, respond) => {
      if (request.name === "") {
        respond({ ok: false, error: invalid("name", "must not be empty") });
        return undefined;
      }
      const present = this.#owners.present();
      let open = present.length;
      let worst: MusterError | undefined;
      let over = false;
      const cancels: Cancel[] = [];
      const finish = (result: Result<Messages["JobsGetResponse"]>): void => {
        over = true;
        respond(result);
      };
      for (const owner of present)
        cancels.push(
          this.#ask(owner, method as "Jobs.Get", request, peer, (result) => {
            if (over) return;
            if (result.ok) return finish(result);
            // Who does not serve a call has less to say than who has the job.
            if (!isNobodysJob(result.error) && (worst?.kind ?? "unsupported") === "unsupported") worst = result.error;
            if (--open === 0) finish({ ok: false, error: worst ?? this.#nobodyHas(request.name) });
          }),
        );
      if (present.length === 0) finish({ ok: false, error: this.#nobodyHas(request.name) });
      return () => {
        over = true;
        for (const cancel of cancels) cancel();
      };
    };
    return handler as unknown as CallHandler<M>;
  }

  /** Of one job, or, without a name, of all that the framework for services has. */
  rebalance(): CallHandler<"Jobs.Rebalance"> {
    const ofOne = this.byName("Jobs.Rebalance");
    return (request, peer, respond) => {
      if (request.name !== "") return ofOne(request, peer, respond);
      const owner = this.#owners.ofType("service");
      if (owner) return this.#ask(owner, "Jobs.Rebalance", request, peer, respond);
      const name = this.#owners.away().get("service");
      const error = name === undefined ? invalid("name", "no framework takes care of service jobs") : undefined;
      respond({ ok: false, error: error ?? ownerAway("service", name ?? "") });
      return undefined;
    };
  }

  #nobodyHas(name: string): MusterError {
    for (const [type, framework] of this.#owners.away()) return ownerAway(type, framework);
    return new MusterError("not-found", `no job "${name}"`);
  }

  list(): CallHandler<"Jobs.List"> {
    return (request, peer, respond) => {
      const unavailable = new Set([...this.#owners.away().keys()]);
      const present = this.#owners.present();
      const jobs: JobSummary[] = [];
      let open = present.length;
      let over = false;
      const cancels: Cancel[] = [];
      const finish = (): void => {
        over = true;
        jobs.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
        respond({ ok: true, value: { jobs, typesUnavailable: [...unavailable].sort() } });
      };
      for (const owner of present)
        cancels.push(
          this.#ask(owner, "Jobs.List", request, peer, (result) => {
            if (over) return;
            if (result.ok) jobs.push(...result.value.jobs);
            else for (const type of owner.types) unavailable.add(type);
            if (--open === 0) finish();
          }),
        );
      if (present.length === 0) finish();
      return () => {
        over = true;
        for (const cancel of cancels) cancel();
      };
    };
  }

  /** Whoever has the job becomes the source. A caller who reads slowly gets the latest alone. */
  watch(): FollowHandler<"Jobs.Watch"> {
    return (request, outlet, peer) => {
      const present = this.#owners.present();
      const payload = codecOf("JobsWatchRequest").encode(request);
      let open = present.length;
      let worst: MusterError | undefined;
      let latest: Messages["JobsWatchResponse"] | undefined;
      let over = false;
      const cancels = new Map<Owner, Cancel>();
      const cancelAll = (): void => {
        for (const cancel of cancels.values()) cancel();
      };
      const send = (): void => {
        if (latest === undefined || !outlet.ready()) return;
        outlet.send(latest);
        latest = undefined;
      };
      const end = (error: MusterError | undefined): void => {
        if (over) return;
        over = true;
        cancelAll();
        if (latest !== undefined) outlet.send(latest);
        outlet.end(error);
      };
      const listenerOf = (owner: Owner): CallListener => ({
        replied: (bytes, last) => {
          if (over) return;
          const decoded = decodeReply("JobsWatchResponse", bytes, owner);
          if (decoded instanceof MusterError) return end(decoded);
          for (const [other, cancel] of cancels) if (other !== owner) cancel();
          open = 1;
          if (bytes.length > 0) latest = decoded;
          send();
          if (last) end(undefined);
        },
        failed: (error) => {
          if (over) return;
          if (error.kind !== "not-found") worst ??= error;
          if (--open <= 0) end(worst ?? this.#nobodyHas(request.name));
        },
      });
      for (const owner of present)
        cancels.set(owner, this.#owners.call(owner, "Watch", payload, peer.principal, 0, listenerOf(owner)));
      if (present.length === 0) end(this.#nobodyHas(request.name));
      return {
        receive: () => {},
        drained: send,
        closed: () => {
          over = true;
          cancelAll();
        },
      };
    };
  }

  #ask<M extends BySubmission | ByName | "Jobs.List">(
    owner: Owner,
    method: M,
    request: Messages[(typeof methods)[M]["request"]],
    peer: Peer,
    done: (result: Result<Messages[(typeof methods)[M]["response"]]>) => void,
  ): Cancel {
    const { request: requestName, response } = methods[method];
    const payload = codecOf(requestName).encode(request as never);
    return this.#owners.call(owner, method.slice("Jobs.".length), payload, peer.principal, this.#timeoutMs, {
      replied: (bytes) => {
        const value = decodeReply(response, bytes, owner);
        if (value instanceof MusterError) done({ ok: false, error: value });
        else done({ ok: true, value: value as Messages[(typeof methods)[M]["response"]] });
      },
      failed: (error) => done({ ok: false, error }),
    });
  }
}

/** A framework that answers nonsense is its own fault, not the caller's. */
function decodeReply<N extends keyof Messages>(name: N, bytes: Buffer, owner: Owner): Messages[N] | MusterError {
  try {
    return codecOf(name).decode(bytes);
  } catch (cause) {
    return new MusterError("unavailable", `framework ${owner.name} gave an answer that can't be read`, { cause });
  }
}

function nameTaken(name: string, type: string): MusterError {
  return new MusterError("exists", `a job "${name}" of type "${type}" is there already`, { field: "job.name" });
}
