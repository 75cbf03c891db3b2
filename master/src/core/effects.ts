import type { MusterError, Result } from "@muster/foundation";
import type {
  Affected,
  ClaimResult,
  ConnectRequest,
  ConnectResponse,
  Registration,
  SubscribeRequest,
  SubscribeResponse,
  Subscription,
  TaskStatus,
  WatchEvent,
} from "@muster/proto";
import type { Agent, Framework, Offer, Task } from "./model.ts";
import type { OperatorChange, OperatorCommand } from "./operator/commands.ts";
import type { Lease } from "./overlay/leases.ts";
import type { Rooms } from "./preemption/ending.ts";
import type { RoleCall } from "./role-changes.ts";
import type { SetAsideCall } from "./set-aside/calls.ts";

/** What the master is told. */
export type Input =
  | { readonly type: "agent-opened"; readonly connection: number; readonly registration: Registration }
  | { readonly type: "agent-message"; readonly connection: number; readonly message: ConnectRequest }
  | { readonly type: "agent-closed"; readonly connection: number }
  | { readonly type: "agent-stored"; readonly connection: number; readonly error: MusterError | undefined }
  | {
      readonly type: "unreachable-stored";
      readonly agent: Agent;
      readonly connection: number;
      readonly error: MusterError | undefined;
    }
  | {
      readonly type: "lease-stored";
      readonly network: string;
      readonly lease: Lease;
      /** Of the lease when it was written. */
      readonly changes: number;
      readonly error: MusterError | undefined;
    }
  | {
      readonly type: "framework-opened";
      readonly connection: number;
      readonly principal: string;
      readonly subscription: Subscription;
    }
  | { readonly type: "framework-message"; readonly connection: number; readonly message: SubscribeRequest }
  | { readonly type: "framework-closed"; readonly connection: number }
  | { readonly type: "framework-stored"; readonly connection: number; readonly error: MusterError | undefined }
  /** An operator wants a weight or a quota changed. */
  | { readonly type: "role-called"; readonly call: RoleCall }
  /** An operator wants to change what is set aside on an agent. */
  | { readonly type: "set-aside-called"; readonly call: SetAsideCall }
  /** What a budget loses to make room is in the registry. */
  | { readonly type: "budget-stored"; readonly rooms: Rooms; readonly error: MusterError | undefined }
  | { readonly type: "role-stored"; readonly error: MusterError | undefined }
  | { readonly type: "operator-call"; readonly call: number; readonly command: OperatorCommand }
  | {
      readonly type: "operator-stored";
      readonly call: number;
      readonly change: OperatorChange;
      readonly affected: Affected;
      readonly error: MusterError | undefined;
    }
  /** Time has passed: what was due happens. */
  | { readonly type: "time" };

type Item<M, F extends keyof M> = M[F] extends readonly (infer I)[] ? I : M[F];

/** What the master wants done. Carried out by the loop, in order. */
export type Effect =
  | {
      readonly type: "to-framework";
      readonly connection: number;
      readonly field: keyof SubscribeResponse & string;
      readonly item: Item<SubscribeResponse, keyof SubscribeResponse>;
      readonly bytes: number;
    }
  | {
      readonly type: "to-agent";
      readonly connection: number;
      readonly field: keyof ConnectResponse & string;
      readonly item: Item<ConnectResponse, keyof ConnectResponse>;
      readonly bytes: number;
    }
  | {
      readonly type: "claim-result";
      readonly connection: number;
      /** Whose record explains a refusal. */
      readonly agent: Agent | undefined;
      readonly result: ClaimResult;
    }
  /** The session is over; nothing more is sent on it. */
  | { readonly type: "end"; readonly connection: number; readonly error: MusterError | undefined }
  | {
      readonly type: "store";
      readonly key: string;
      /** Undefined removes the entry. */
      readonly value: Uint8Array | undefined;
      /** Posted when it is durable, or with the error when it is not. */
      readonly written: ((error: MusterError | undefined) => Input) | undefined;
    }
  /** An offer was made: its framework is sent it, and the feed tells of it. What is sent is made when it is sent. */
  | { readonly type: "offer"; readonly offer: Offer }
  | { readonly type: "event"; readonly subject: EventSubject }
  | { readonly type: "task-event"; readonly task: Task; readonly status: TaskStatus | undefined }
  | {
      readonly type: "log";
      readonly level: "info" | "warn";
      readonly fields: Readonly<Record<string, unknown>>;
      readonly message: string;
    }
  /** Answers a call. */
  | { readonly type: "respond"; readonly respond: () => void }
  /** Answers an operator's call. */
  | { readonly type: "answer"; readonly call: number; readonly result: Result<Affected> }
  /** Somebody has seen a higher epoch: another master leads. */
  | { readonly type: "deposed"; readonly epochSeen: number };

/** An event whose record is made at once. */
export type EventChange = Omit<WatchEvent, "sequence" | "agent" | "framework" | "offer" | "task">;

/** What an event is about. Of these the record is made when somebody reads it: mostly there are more events than readers. */
export type EventSubject = Agent | Framework | Offer | EventChange;

/** Everything that the core counts. */
export type CountName =
  | "offers"
  | "offers_ended"
  | "tasks_launched"
  | "tasks_refused"
  | "statuses"
  | "acknowledgements"
  | "calls_refused"
  | "claims"
  | "inverse_offers"
  | "preemptions"
  | "operations"
  | "invariants";
