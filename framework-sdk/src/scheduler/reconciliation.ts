import type { Reconcile, Reconciled, TaskQuestion } from "@muster/proto";
import type { TaskLedger } from "./ledger.ts";
import type { Reconciliation } from "./types.ts";

/** Questions in one message's record: the master takes ten times as many. */
export const questionsPerCallMax = 5_000;
/** Tasks in doubt that are listed by name; beyond, they are only counted. */
export const inDoubtMax = 10_000;
/** All tasks are asked about so often, in case that anything was lost. */
export const reconcileIntervalMs = 15 * 60_000;
/** While something is in doubt it is asked again after 1 s, then twice as long each time, at most 20 s. */
const doubtMsFirst = 1_000;
const doubtMsMax = 20_000;
/**
 * A launch that was lost on its way to a master leaves a task that only the framework knows of. While its agent does not
 * answer the master can't tell, and when it is back has nothing to tell: it is asked so often.
 */
export const unseenMs = 20_000;

/**
 * One round of questions after another: about each known task, then about all that there may be. A round is over when
 * every question has its end marker.
 */
export class ReconciliationRounds {
  readonly #ledger: TaskLedger;
  readonly #open = new Set<string>();
  #count = 0;
  #inDoubt: TaskQuestion[] = [];
  #inDoubtCount = 0;
  #nextInDoubt: TaskQuestion[] = [];
  #nextInDoubtCount = 0;
  #complete = true;
  #awaited: readonly string[] = [];
  #doubtMs = doubtMsFirst;

  constructor(ledger: TaskLedger) {
    this.#ledger = ledger;
  }

  get inDoubt(): readonly TaskQuestion[] {
    return this.#inDoubt;
  }

  /** A new connection: what was asked on the old one gets no answer. */
  reconnected(): void {
    this.#open.clear();
    this.#doubtMs = doubtMsFirst;
  }

  /** The questions of a new round, or of one about tasks alone that no agent has told of. O(tasks that have not ended). */
  begin(isOfUnseen = false): readonly Reconcile[] {
    this.#open.clear();
    this.#complete = true;
    this.#awaited = [];
    this.#nextInDoubt = [];
    this.#nextInDoubtCount = 0;
    const calls: Reconcile[] = [];
    let tasks: TaskQuestion[] = [];
    this.#ledger.forEachLive((taskId, agentId, isUnseen) => {
      if (isOfUnseen && !isUnseen) return;
      tasks.push({ taskId, agentId });
      if (tasks.length < questionsPerCallMax) return;
      calls.push(this.#call(tasks));
      tasks = [];
    });
    if (tasks.length > 0) calls.push(this.#call(tasks));
    if (!isOfUnseen) calls.push(this.#call([]));
    return calls;
  }

  /** One end marker. The last of a round gives its result, and when to ask again, and of what, if anything is open. */
  ended(
    marker: Reconciled,
  ): { result: Reconciliation; againInMs: number | undefined; isOfUnseen: boolean } | undefined {
    if (!this.#open.delete(marker.reconcileId)) return undefined;
    if (!marker.complete) this.#complete = false;
    this.#nextInDoubtCount += marker.inDoubt.length;
    for (const { taskId, agentId } of marker.inDoubt)
      if (this.#nextInDoubt.length < inDoubtMax) this.#nextInDoubt.push({ taskId, agentId });
    if (marker.agentsAwaited.length > 0) this.#awaited = [...marker.agentsAwaited];
    if (this.#open.size > 0) return undefined;
    this.#inDoubt = this.#nextInDoubt;
    this.#inDoubtCount = this.#nextInDoubtCount;
    const result = { complete: this.#complete, inDoubtCount: this.#inDoubtCount, agentsAwaited: this.#awaited };
    if (this.#complete) {
      this.#doubtMs = doubtMsFirst;
      return { result, againInMs: this.#ledger.hasUnseen ? unseenMs : undefined, isOfUnseen: true };
    }
    const againInMs = this.#doubtMs;
    this.#doubtMs = Math.min(this.#doubtMs * 2, doubtMsMax);
    return { result, againInMs, isOfUnseen: false };
  }

  #call(tasks: TaskQuestion[]): Reconcile {
    const reconcileId = `reconcile-${(++this.#count).toString(36)}`;
    this.#open.add(reconcileId);
    return { reconcileId, tasks };
  }
}
