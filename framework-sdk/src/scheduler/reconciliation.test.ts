import { emptyMessage } from "@muster/foundation";
import { TaskState } from "@muster/proto";
import { expect, test } from "vitest";
import { TaskLedger } from "./ledger.ts";
import { ReconciliationRounds, unseenMs } from "./reconciliation.ts";

const answered = { ...emptyMessage("Reconciled"), complete: true };

test("a launch that was lost while its agent does not answer is asked about until somebody can tell", () => {
  const ledger = new TaskLedger();
  const rounds = new ReconciliationRounds(ledger);
  ledger.launched("lost", "l-1", "agent");
  ledger.launched("well", "l-2", "agent");
  const status = { ...emptyMessage("TaskStatus"), agentId: "agent" };
  ledger.judge({ ...status, taskId: "well", launchId: "l-2", state: TaskState.TASK_UNREACHABLE, sequence: 3 });
  for (const { reconcileId } of rounds.begin().slice(1)) rounds.ended({ ...answered, reconcileId });
  ledger.judge({ ...status, taskId: "lost", state: TaskState.TASK_UNREACHABLE });
  const [first] = rounds.begin();
  const [, all] = [first, rounds.begin()];
  for (const { reconcileId } of all.slice(1)) rounds.ended({ ...answered, reconcileId });
  const end = rounds.ended({ ...answered, reconcileId: all[0]?.reconcileId ?? "" });
  expect(end).toMatchObject({ againInMs: unseenMs, isOfUnseen: true });
  expect(rounds.begin(true).map(({ tasks }) => tasks)).toEqual([[{ taskId: "lost", agentId: "agent" }]]);
  ledger.judge({ ...status, taskId: "lost", state: TaskState.TASK_GONE });
  expect(ledger.hasUnseen).toBe(false);
  expect(rounds.begin(true)).toEqual([]);
});
