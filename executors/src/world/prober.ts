import type { Cancel } from "@muster/foundation";

/** Where a task is asked: by its address, as seen from a network namespace. */
export interface ProbePlace {
  readonly ip: string;
  readonly port: number;
  /** Path of the network namespace from which the address is reached. Absent: the host's own. */
  readonly namespace?: string;
}

/** How far the other side of an encrypted connection is to be known. */
export interface ProbeTls {
  /** Name that the certificate must be made for; empty: the address. */
  readonly serverName: string;
  /** Any certificate will do. */
  readonly skipsVerify: boolean;
}

export interface TcpTarget extends ProbePlace {
  readonly type: "tcp";
}

export interface HttpTarget extends ProbePlace {
  readonly type: "http";
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Absent: not encrypted. */
  readonly tls?: ProbeTls;
}

export interface GrpcTarget extends ProbePlace {
  readonly type: "grpc";
  /** Empty: the whole server. */
  readonly service: string;
  /** Absent: not encrypted. */
  readonly tls?: ProbeTls;
}

/** A command beside a task: in its namespaces, cgroups, folder and account. */
export interface ScriptTarget {
  readonly type: "script";
  /** Of the task, as in ProcSpec. */
  readonly id: string;
  /** The task's main process; the pair names it for ever. */
  readonly pid: number;
  readonly startTicks: number;
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

export type ProbeTarget = TcpTarget | HttpTarget | GrpcTarget | ScriptTarget;

export interface ProbeResult {
  readonly passed: boolean;
  /** For people: what was answered, or why there was no answer. */
  readonly message: string;
}

/** Asks a task whether it is well. */
export interface Prober {
  /** One check; the answer comes after the return, at the latest after `timeoutMs`. After cancelling it does not come. */
  probe(target: ProbeTarget, timeoutMs: number, done: (result: ProbeResult) => void): Cancel;
  /** Ends what helps with checks. Checks under way may end without an answer. */
  stop(): void;
}
