import { isTerminal } from "@muster/foundation";
import type { Acknowledgement, SubscribeRequest, TaskStatus } from "@muster/proto";
import { type SimCluster, type Violation, violation } from "@muster/testing";
import { batchName, decodeItem, itemKey } from "./batch-framework.ts";

/**
 * Nothing that was acknowledged is lost: when the acknowledgement of an end reaches the master, the framework's store
 * has that end. What is acknowledged and not stored would be gone after a crash of the framework at that moment.
 */
export class AcknowledgementWatch {
  readonly #cluster: SimCluster;
  /** Ends by their task and the id of their update: two agents may give the same id to updates of two tasks. */
  readonly #ends = new Map<string, TaskStatus>();

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
  }

  /** Reads a message of the scheduling stream, of either direction. */
  read(from: string, message: { readonly updates?: readonly TaskStatus[] } & Partial<SubscribeRequest>): void {
    for (const status of message.updates ?? [])
      if (isTerminal(status.state) && status.updateId !== "")
        this.#ends.set(`${status.taskId}/${status.updateId}`, status);
    if (from !== batchName) return;
    for (const acknowledgement of message.acknowledgements ?? [])
      this.#cluster.violations.add(this.#acknowledged(acknowledgement));
  }

  #acknowledged({ taskId, updateId }: Acknowledgement): Violation[] {
    const end = this.#ends.get(`${taskId}/${updateId}`);
    // The ends of executors say nothing of any work.
    if (end === undefined || !taskId.startsWith("batch.")) return [];
    const [, number = "", , attempt = ""] = taskId.split(".");
    const entry = this.#cluster.store.data.entries.get(`state/${batchName}/${itemKey(Number(number))}`);
    const record = entry === undefined ? undefined : decodeItem(entry.value);
    const isLater = (record?.attempt ?? 0) > Number(attempt);
    if (isLater || record?.ends[taskId] !== undefined) return [];
    return [violation("acknowledged-lost", taskId, `update ${updateId} is acknowledged, its end is in no store`)];
  }
}
