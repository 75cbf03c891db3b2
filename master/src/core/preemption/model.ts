import type { Resources } from "@muster/foundation";
import type { Demand } from "../demand-shapes.ts";
import type { Agent, Framework, Group, Member } from "../model.ts";
import type { Budget } from "./budget.ts";

/** Room on an agent that is kept for one unit of a demand, from the choice of who is ended for it to its offer. */
export interface Hold {
  readonly agent: Agent;
  readonly framework: Framework;
  readonly member: Member;
  readonly demand: Demand;
  /** The shape of the demand. */
  readonly resources: Resources;
}

/** For whom a group is ended. */
export interface PreemptedFor {
  readonly role: string;
  readonly priority: number | undefined;
}

export interface Preemption {
  /** In the order in which they were made. */
  readonly holds: Set<Hold>;
  /** Groups that were chosen to be ended for others, and have not ended yet. */
  readonly ending: Set<Group>;
  /** By framework and name. */
  readonly budgets: Map<string, Budget>;
  /** Those of which some are missing, or were a moment ago: the registry knows of each. */
  readonly wanting: Set<Budget>;
  /** Records of budgets that this master has made. */
  recordCount: number;
  /** It is planned when the next that is missing counts no more. */
  isForgetting: boolean;
  /** The next look for room is planned. */
  isArmed: boolean;
  /** From one look to the next: longer and longer while none finds anything. */
  intervalMs: number;
  /** The agent at which the next look begins, counted from the first. */
  cursor: number;
}

export function noPreemption(): Preemption {
  return {
    ...{ holds: new Set(), ending: new Set(), budgets: new Map(), wanting: new Set() },
    ...{ recordCount: 0, isForgetting: false, isArmed: false, intervalMs: 0, cursor: 0 },
  };
}
