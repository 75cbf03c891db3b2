import type { Log } from "@muster/foundation";
import type { AssignedPort, Health, TaskState } from "@muster/proto";
import type { ClusterAgent } from "../cluster/cluster-view.ts";
import type { TaskTemplate } from "./tasks.ts";

/** A task of the framework, as last heard. */
export interface FrameworkTask {
  readonly taskId: string;
  /** Of its template. */
  readonly name: string;
  readonly agentId: string;
  readonly agentName: string;
  readonly state: TaskState;
  readonly health: Health;
  /** For people. */
  readonly message: string;
  readonly exitCode: number | undefined;
  readonly ports: readonly AssignedPort[];
}

/** What a framework wants done. */
export type Action =
  | { readonly type: "place"; readonly count: number; readonly template: TaskTemplate; readonly together?: boolean }
  | { readonly type: "kill"; readonly taskId: string }
  | { readonly type: "finish" };

export type Actions = Action | readonly Actions[] | undefined;

/** What `reconcile` sees. */
export interface FrameworkContext<S> {
  /** The framework's own durable state. */
  readonly state: S;
  readonly tasks: {
    /** Those that have not ended. */
    live(): readonly FrameworkTask[];
    /** Those that have, the last 1,000 of this process. */
    ended(): readonly FrameworkTask[];
  };
  /** Registered agents, in order of their names. Empty until the cluster is known and whole. */
  readonly agents: readonly ClusterAgent[];
  readonly log: Log;
  /** So many more tasks of that kind. Asked for again at each call, until they are among the live ones. */
  place(count: number, template: TaskTemplate): Action;
  /**
   * So many more tasks of that kind at one moment, or none of them: what computes together must start together. For
   * frameworks whose `strategy` is "claims".
   */
  placeTogether(count: number, template: TaskTemplate): Action;
  kill(task: FrameworkTask): Action;
  /** Sends bytes to an executor on an agent, at most 64 KiB, at most once. False if they can't be sent now. */
  sendToExecutor(agentId: string, executorId: string, data: Uint8Array | string): boolean;
  /** The framework has done its work: its session ends. */
  finish(): Action;
}

export interface FrameworkDefinition<S> {
  /** Letters, digits, dots, dashes, underscores. */
  readonly name: string;
  /** Default: "default". */
  readonly roles?: readonly string[];
  /** Default: 24 h, or 10 s for one that is not durable. */
  readonly failoverTimeoutMs?: number;
  /** Whether it is the same framework after a restart, with its state and tasks. Default: true. */
  readonly durable?: boolean;
  /**
   * How it gets resources. "offers": it waits for its turn, and is patient about it. "claims": it looks where there is
   * room and takes it, which is faster, and may be refused. Default: "offers".
   */
  readonly strategy?: "offers" | "claims";
  /** What its state is at first: plain JSON. */
  readonly initialState?: S;
  /**
   * Says what is to be done, from what is. Called whenever anything has changed, at most once a tick, and never before
   * every task of earlier sessions is known. The same situation must give the same answer: it may be called at any time.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: nothing to do is said by returning nothing
  reconcile(context: FrameworkContext<S>): Actions | void;
  /** Bytes from an executor, each at most once. `reconcile` follows. */
  executorMessage?(agentId: string, executorId: string, data: Uint8Array): void;
}

/** A framework to be run by `runFramework`. */
export function defineFramework<S = undefined>(definition: FrameworkDefinition<S>): FrameworkDefinition<S> {
  return definition;
}
