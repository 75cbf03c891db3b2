import type { Resources, Result } from "@muster/foundation";
import type { Bound } from "../allocator/bound.ts";

/** What an operator wants a role to be. */
export type RoleChange =
  | { readonly type: "weight"; readonly role: string; readonly weightMillis: number }
  | {
      readonly type: "quota";
      readonly role: string;
      readonly guarantee: Resources;
      readonly limit: Bound;
      /** Also if there is not enough, or more is used already. */
      readonly force: boolean;
    };

export interface RoleOutcome {
  readonly weightMillisBefore: number;
  readonly offersRescinded: number;
  /** What the role and those below it use. */
  readonly allocated: Resources;
}

export interface RoleCall {
  readonly change: RoleChange;
  /** Only says what would be. */
  readonly isDryRun: boolean;
  readonly respond: (result: Result<RoleOutcome>) => void;
}
