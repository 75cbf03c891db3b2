import type { AgentRecord, OfferRecord, OverlayRecord, RoleRecord, TaskRecord } from "@muster/proto";

/** Something that must never be, and is. */
export interface Violation {
  /** The invariant, for instance "port-twice". */
  readonly rule: string;
  /** Whom it befell: the id of an agent, task, job. */
  readonly subject: string;
  /** What was seen, for people. */
  readonly detail: string;
}

/** What a leading master says about itself at one moment; a live one tells it by Operator and Tasks calls. */
export interface MasterView {
  readonly agents: readonly AgentRecord[];
  readonly tasks: readonly TaskRecord[];
  readonly offers: readonly OfferRecord[];
  readonly overlays: readonly OverlayRecord[];
  readonly roles: readonly RoleRecord[];
}

/** A checker of one moment: reads, never changes. */
export type Checker = (view: MasterView) => Violation[];

export function violation(rule: string, subject: string, detail: string): Violation {
  return { rule, subject, detail };
}
