import type { MusterError } from "@muster/foundation";
import type {
  CallRefused,
  InverseOffer,
  Offer,
  OfferConstraint,
  Operation,
  OperationResult,
  Resources,
  TaskGroup,
  TaskQuestion,
  TaskStatus,
} from "@muster/proto";

import type { ClaimAnswer, ClaimOptions, ClaimRequest } from "./claims.ts";

/** Who a framework is. */
export interface FrameworkDescription {
  /** What people call it; also whose keys it sees in State. Letters, digits, dots, dashes, underscores. */
  readonly name: string;
  /** Whom it works for; at least one. */
  readonly roles: readonly string[];
  /** Job types that it takes care of. Default: none. */
  readonly jobTypes?: readonly string[];
  /** Its tasks are killed when it has been away for so long. Default: 24 h. */
  readonly failoverTimeoutMs?: number;
  /** Who it authenticates as. Default: nobody. */
  readonly principal?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** What it can cope with, for instance `revocableCapability`. Default: nothing. */
  readonly capabilities?: readonly string[];
  /** Offers smaller than this in every amount are not sent. Default: the master's. */
  readonly minimumOffer?: Resources;
  /** Which agents it can use at all. Default: all. */
  readonly offerConstraints?: readonly OfferConstraint[];
  /** Version of the program, for people. */
  readonly version?: string;
}

export interface SchedulerConfig {
  /** One or several masters, "host:port". */
  readonly address: string | readonly string[];
  readonly framework: FrameworkDescription;
  /**
   * True: its id is kept in State, so that after a restart it is the same framework and its tasks are still its own.
   * False: it is a new framework each time, and its tasks end with its fail-over timeout. Default: true.
   */
  readonly durable?: boolean;
  /** Roles that want no offers at first. Default: none. */
  readonly suppressedRoles?: readonly string[];
}

/** A session is open. */
export interface Session {
  readonly frameworkId: string;
  readonly clusterId: string;
  /** Agents that the master has not heard of since its start. Nobody may act on their tasks' silence. */
  readonly agentsAwaited: readonly string[];
}

/** What came of asking about every task. The states themselves came as updates before it. */
export interface Reconciliation {
  /** True: every task of the framework is told of. False: it is asked again soon. */
  readonly complete: boolean;
  /** How many tasks are neither known to live nor known to have ended. */
  readonly inDoubtCount: number;
  readonly agentsAwaited: readonly string[];
}

/** What a framework is told. Called in the order of the master's messages, one at a time. */
export interface SchedulerHandler {
  /** A session is open; offers of earlier ones are void. */
  subscribed?(session: Session): void;
  /** The session is over; another is tried by itself. */
  disconnected?(error: MusterError | undefined): void;
  offers(offers: readonly Offer[]): void;
  rescinded?(offerId: string, reason: string): void;
  /**
   * News of a task, each once. It is acknowledged after the return: what must outlive a crash is durable by then, or
   * "later" is returned and `acknowledge` called once it is.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: most frameworks return nothing
  update(status: TaskStatus): "later" | undefined | void;
  reconciled?(reconciliation: Reconciliation): void;
  agentLost?(agentId: string, gone: boolean): void;
  /**
   * Agents are wanted back, for a drain or for maintenance. To be answered by `answerInverseOffers`; asked anew in each
   * session, and again for what was declined when its filter ends.
   */
  inverseOffers?(offers: readonly InverseOffer[]): void;
  /** An agent is not wanted back any more, or nothing of the framework is left there. */
  inverseRescinded?(inverseOfferId: string, reason: string): void;
  /** Bytes from a custom executor, each at most once. */
  executorMessage?(agentId: string, executorId: string, data: Uint8Array): void;
  /**
   * A step of an accept that has an operation id has ended: the agent has it on its disk, or `refusal` says why nothing of
   * it was done. Told again after a reconnection until this has returned, but not by another master: after such a change
   * offers tell which reservations and volumes there are.
   */
  operationEnded?(result: OperationResult): void;
  /** A call could not be done. Launches that fail come as updates instead. */
  refused?(refusal: CallRefused): void;
}

/** So many of one shape. */
export interface DemandedShape {
  /** Those included that are offered now. At most 1,000,000. */
  readonly count: number;
  /** Of one of them, with ports of the dynamic range. */
  readonly resources: Resources;
  /** Which agents will do. Default: all. */
  readonly constraints?: readonly OfferConstraint[];
  /** Tells the demands of a role apart. Default: its place in the list. */
  readonly id?: string;
  /** 1 to 100. Where the role has less than it is promised, less important tasks are ended for it. */
  readonly priority?: number;
  /**
   * Agents where it fits are offered whole, and all of them: for frameworks that choose among many. Offers then leave the
   * count as it is, and end no filters: `revive` does. Default: only what is wanted is offered.
   */
  readonly isWhole?: boolean;
  /** Where room may be made for it. Default: anywhere. */
  readonly agentIds?: readonly string[];
  /** Nobody is ended for it. */
  readonly isPatient?: boolean;
}

export interface AcceptOptions {
  /** For how long to keep away what is left. Default: 5 s doubling to 120 s while nothing is placed there. */
  readonly refuseMs?: number;
  /** Steps before the launch, which works on what they leave: if one can't be done, nothing is launched. */
  readonly before?: readonly Operation[];
  /** Further steps, after the launch. */
  readonly operations?: readonly Operation[];
}

/**
 * A framework's session with the master. What is called in one tick goes out together at its end; the order of the
 * calls is kept. Calls cost O(1) for an item and make no promise and no timer.
 */
export interface Scheduler {
  start(): void;
  /** Ends the session; tasks run on. */
  stop(done?: () => void): void;
  readonly isSubscribed: boolean;
  /** Undefined before the first session, unless it was read from State. */
  readonly frameworkId: string | undefined;
  /** Roles that are subscribed for. */
  readonly roles: readonly string[];
  /**
   * Starts task groups on offers of one agent and one role; what they leave is declined. Every task is answered by an
   * update: without a session TASK_DROPPED follows at once.
   */
  accept(offerIds: readonly string[], groups: readonly TaskGroup[], options?: AcceptOptions): void;
  /**
   * Takes resources without an offer and starts task groups on them: see `createClusterView` for what there is. `done`
   * is called once, with an answer for each request in their order. Throws `invalid` for a set over 2 MiB.
   */
  claim(
    requests: readonly ClaimRequest[],
    options: ClaimOptions,
    done: (answers: readonly ClaimAnswer[]) => void,
  ): void;
  /** Returns offers. Without `refuseMs`: for 5 s at first, longer and longer until the role is revived. */
  decline(offerIds: readonly string[], refuseMs?: number): void;
  /** Agrees to give agents back, or does not; then it is asked again after `refuseMs`, by default 5 s. */
  answerInverseOffers(inverseOfferIds: readonly string[], accepted: boolean, refuseMs?: number): void;
  /** Ends a task, and with it its group. Told again after a reconnection, until the task has ended. */
  kill(taskId: string, graceMs?: number): void;
  /**
   * Lets a task end whose agent asks for it (REASON_KILL_ASKED, of checks with CHECK_ACTION_ASK). Said once: to be said
   * again while it is asked for.
   */
  killUnhealthy(taskId: string): void;
  /**
   * Says how many of which shape are wanted in a role (by default the first), so that only these are offered, on agents
   * where they fit; it takes the place of what was said of the role before, and holds over reconnections. None: nothing
   * is wanted. What `accept` starts is taken off the master's count: say anew how many are wanted when that has changed.
   */
  demand(demands: readonly DemandedShape[], role?: string): void;
  /** No more offers for these roles. Default: all. Holds over reconnections. */
  suppress(roles?: readonly string[]): void;
  /** Offers again, without filters. Default: all roles. At most once per role per second; those between are one. */
  revive(roles?: readonly string[]): void;
  /** Subscribes for these roles too, or instead. */
  changeRoles(roles: readonly string[]): void;
  /** Sends bytes to a custom executor, at most 64 KiB, at most once. False without a session; "refused" tells of an executor that is not there. */
  sendToExecutor(agentId: string, executorId: string, data: Uint8Array | string): boolean;
  /** Ends a custom executor with all its tasks. Without a session nothing happens: kill its task to be sure. */
  shutDownExecutor(agentId: string, executorId: string): boolean;
  /** To be called for each update for which the handler returned "later", once it is durable. */
  acknowledge(status: TaskStatus): void;
  /** Asks about every task now. It happens by itself at each session's begin and every 15 minutes. */
  reconcile(): void;
  /** Tasks that nobody can tell of yet, at most 10,000. */
  inDoubt(): readonly TaskQuestion[];
  /** How many tasks have not ended. */
  readonly liveTaskCount: number;
}
