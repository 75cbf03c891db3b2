import type { WatchEvent } from "@muster/proto";
import type { MasterState } from "../core/model.ts";
import { agentRecord, frameworkRecord, offerRecord, roleRecord, taskRecord } from "../core/records.ts";

/** Records in one message of a snapshot: others wait for a turn of the loop no longer than these take. */
export const snapshotPartRecords = 500;

/** Everything that a watch tells of, record by record, as it is when it is asked for. O(1) memory. */
export function* snapshotRecords(
  state: MasterState,
  wants: (kind: number) => boolean,
): Generator<Omit<WatchEvent, "sequence">> {
  if (wants(1)) {
    yield { agentsAwaited: { agentIds: [...state.awaited].map((agent) => agent.id) } };
    for (const agent of state.agents.values()) yield { agent: agentRecord(agent) };
  }
  if (wants(2)) for (const framework of state.frameworks.values()) yield { framework: frameworkRecord(framework) };
  if (wants(3))
    for (const framework of state.frameworks.values()) {
      for (const task of framework.tasks.values()) yield { task: taskRecord(task) };
      for (const task of framework.history.values()) yield { task: taskRecord(task) };
    }
  if (wants(5)) {
    state.allocator.settle();
    for (const role of state.allocator.roles.values()) yield { role: roleRecord(role) };
  }
  if (wants(4)) for (const offer of state.offers.values()) yield { offer: offerRecord(offer) };
}
