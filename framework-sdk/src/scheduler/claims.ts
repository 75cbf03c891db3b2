import { type ErrorKind, invalid, type Random, randomText } from "@muster/foundation";
import type { Claim, ClaimResult, Refusal, TaskGroup } from "@muster/proto";
import type { TaskLedger } from "./ledger.ts";

/** Bytes of the claims that are granted together: they travel in one message. */
export const claimSetBytesMax = 2 * 1024 * 1024;

/** What is wanted of one agent, without an offer. */
export interface ClaimRequest {
  readonly agentId: string;
  /** Default: the framework's first role. */
  readonly role?: string;
  /** What to start there: all of it, or nothing. */
  readonly groups: readonly TaskGroup[];
}

export interface ClaimOptions {
  /** True: all claims of the call are granted, or none. Default: each for itself. */
  readonly together?: boolean;
  /** How far the cluster's feed had been read. */
  readonly sequenceSeen?: number;
}

/** What came of one claim. */
export interface ClaimAnswer {
  readonly request: ClaimRequest;
  /** True: updates of its tasks follow. False: none of them was launched, unless the refusal is "cancelled". */
  readonly granted: boolean;
  /**
   * "stale": the agent has less than it seemed, read on; "unavailable": others are before this framework, or there is
   * no session; "cancelled": the session ended before the answer, and updates tell what became of the tasks; else what
   * is wrong with the claim.
   */
  readonly refusal: Refusal | undefined;
  /** Where the cluster's feed stood: everything that refused the claim has a number up to this one. */
  readonly sequence: number;
}

interface Pending {
  readonly requests: readonly ClaimRequest[];
  readonly answers: (ClaimAnswer | undefined)[];
  missing: number;
  readonly done: (answers: readonly ClaimAnswer[]) => void;
}

/** Claims that wait for their answers. O(tasks) a claim; nothing is kept of one that is answered. */
export class PendingClaims {
  readonly #ledger: TaskLedger;
  readonly #byId = new Map<string, { readonly pending: Pending; readonly index: number }>();
  /** Tells the claims of this process from those of earlier ones. */
  readonly #prefix: string;
  #count = 0;

  constructor(ledger: TaskLedger, random: Random) {
    this.#ledger = ledger;
    this.#prefix = randomText(random, 8);
  }

  /** The claims as they go out, each with about its bytes. Throws `invalid` if they are too large to go together. */
  begin(
    requests: readonly ClaimRequest[],
    roleDefault: string,
    { together = false, sequenceSeen = 0 }: ClaimOptions,
    done: (answers: readonly ClaimAnswer[]) => void,
  ): { claim: Claim; bytes: number }[] {
    const sizes = requests.map(bytesOf);
    const bytesAll = sizes.reduce((sum, bytes) => sum + bytes, 0);
    if (together && bytesAll > claimSetBytesMax)
      throw invalid("requests", `must have at most ${claimSetBytesMax} bytes in one set, not ${bytesAll}`);
    const pending: Pending = { requests, answers: requests.map(() => undefined), missing: requests.length, done };
    const setId = together ? `set-${this.#prefix}-${this.#count + 1}` : "";
    return requests.map((request, index) => {
      const claimId = `claim-${this.#prefix}-${++this.#count}`;
      this.#byId.set(claimId, { pending, index });
      for (const group of request.groups)
        for (const { taskId } of group.tasks) this.#ledger.launched(taskId, group.launchId, request.agentId);
      const claim = {
        claimId,
        agentId: request.agentId,
        role: request.role ?? roleDefault,
        operations: [{ operationId: "", launch: { groups: request.groups as TaskGroup[] } }],
        setId,
        setSize: together ? requests.length : 0,
        sequenceSeen,
      };
      // A set must not be split: its first claim counts for all of them.
      return { claim, bytes: together ? (index === 0 ? bytesAll : 0) : (sizes[index] ?? 0) };
    });
  }

  answered({ claimId, granted, refusal, sequence }: ClaimResult): void {
    const found = this.#byId.get(claimId);
    if (found === undefined) return;
    this.#byId.delete(claimId);
    const { pending, index } = found;
    const request = pending.requests[index];
    if (request === undefined) return;
    if (!granted)
      for (const group of request.groups)
        for (const { taskId } of group.tasks) this.#ledger.notLaunched(taskId, group.launchId);
    this.#settle(pending, index, { request, granted, refusal: refusal ?? undefined, sequence });
  }

  /** The session is over: nobody will answer. */
  sessionEnded(): void {
    const message = "the session ended before the answer: updates tell what became of the tasks";
    for (const [claimId, { pending, index }] of [...this.#byId]) {
      this.#byId.delete(claimId);
      const request = pending.requests[index];
      if (request !== undefined) this.#settle(pending, index, refused(request, "cancelled", message));
    }
  }

  #settle(pending: Pending, index: number, answer: ClaimAnswer): void {
    pending.answers[index] = answer;
    if (--pending.missing === 0) pending.done(pending.answers.filter((one) => one !== undefined));
  }
}

export function refused(request: ClaimRequest, kind: ErrorKind, message: string): ClaimAnswer {
  return { request, granted: false, refusal: { kind, message, field: "", retryAfterMs: 0 }, sequence: 0 };
}

function bytesOf({ groups }: ClaimRequest): number {
  let bytes = 160;
  for (const group of groups) {
    bytes += 48;
    for (const task of group.tasks) bytes += 160 + task.spec.length;
  }
  return bytes;
}
