import { type Violation, violation } from "@muster/master";
import type { Claim, ClaimResult } from "@muster/proto";

/** What one claim asked for. */
interface Asked {
  readonly setId: string;
  readonly taskIds: readonly string[];
}

/** Reads along: claims of a set are granted all or none, and nothing of what was refused ever starts. */
export class ClaimWatch {
  readonly #asked = new Map<string, Asked>();
  /** How the first claim of each set was answered. */
  readonly #sets = new Map<string, boolean>();
  readonly #refusedTasks = new Set<string>();
  readonly #started = new Set<string>();

  get grantedSetCount(): number {
    return [...this.#sets.values()].filter((granted) => granted).length;
  }

  get refusedSetCount(): number {
    return this.#sets.size - this.grantedSetCount;
  }

  asked(claims: readonly Claim[]): void {
    for (const { claimId, setId, operations } of claims) {
      const groups = operations.flatMap(({ launch }) => launch?.groups ?? []);
      this.#asked.set(claimId, { setId, taskIds: groups.flatMap(({ tasks }) => tasks.map(({ taskId }) => taskId)) });
    }
  }

  answered(results: readonly ClaimResult[]): Violation[] {
    return results.flatMap(({ claimId, granted }) => {
      const claim = this.#asked.get(claimId);
      if (claim === undefined) return [violation("claim-unasked", claimId, "answered, and never asked")];
      const found = granted ? [] : claim.taskIds.flatMap((taskId) => this.#refused(taskId));
      if (claim.setId === "") return found;
      const before = this.#sets.get(claim.setId);
      this.#sets.set(claim.setId, granted);
      if (before === undefined || before === granted) return found;
      return [...found, violation("set-split", claim.setId, `${claimId} is ${granted ? "granted" : "refused"} alone`)];
    });
  }

  /** A task has begun to run. */
  started(taskId: string): Violation[] {
    this.#started.add(taskId);
    return this.#refusedTasks.has(taskId) ? [violation("refused-started", taskId, "its claim was refused")] : [];
  }

  #refused(taskId: string): Violation[] {
    this.#refusedTasks.add(taskId);
    return this.#started.has(taskId) ? [violation("refused-started", taskId, "runs, and its claim is refused")] : [];
  }
}
