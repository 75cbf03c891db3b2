import { StatusReason, TaskState } from "@muster/proto";
import { afterEach, expect, test } from "vitest";
import { Hand } from "../virtual/hand.ts";
import { Lab } from "../virtual/lab.ts";

// The shipped master and agents, in virtual time.
let lab: Lab | undefined;

afterEach(() => {
  const seen = lab?.inspector.inspect() ?? [];
  lab = undefined;
  expect(seen).toEqual([]);
});

test("case 40: at its maximum run time a task has failed, without a grace, whatever its kill policy says", () => {
  lab = new Lab({ agents: 1, frameworks: [] });
  const hand = new Hand(lab);
  lab.start();
  const killPolicy = { signal: "SIGTERM", graceMs: 60_000 };
  hand.launch([
    { taskId: "bounded", does: "serve deaf", spec: { runTimeMsMax: 10_000, killPolicy, shutdownDelayMs: 30_000 } },
  ]);
  lab.until(() => hand.last("bounded")?.state === TaskState.TASK_RUNNING);
  const beganMs = hand.last("bounded")?.atMs ?? 0;
  lab.run(9_900);
  expect(hand.last("bounded")?.state).toBe(TaskState.TASK_RUNNING);
  lab.run(1_000);
  expect(hand.last("bounded")).toMatchObject({
    state: TaskState.TASK_FAILED,
    reason: StatusReason.REASON_MAX_RUN_TIME,
    signal: "SIGKILL",
  });
  expect(Math.abs((hand.last("bounded")?.atMs ?? 0) - beganMs - 10_000)).toBeLessThan(200);
});
