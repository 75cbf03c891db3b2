import { getPriority } from "node:os";
import { revocableCpu, revocableCpuMillis } from "@muster/foundation";
import { StatusReason, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nodeProcessorMeter } from "../stats/node-processor-meter.ts";
import type { ProcessorMeter } from "../world/processor-meter.ts";
import { AgentFixture } from "./agent-fixture.test.support.ts";

const fixture = AgentFixture.use(beforeEach, afterEach);
const patient = { timeout: 20_000 };

test("an agent lends what its tasks do not use, runs borrowers below everybody else, and takes it back", {
  timeout: 60_000,
}, async () => {
  // Other programs may leave nothing of the host idle; how much is lent then, the core's tests say.
  const meter = nodeProcessorMeter();
  const measure: ProcessorMeter["measure"] = (questions, done) =>
    meter.measure(questions, (use) => done(use && { ...use, idleCpuMillis: 1_000 }));
  await fixture.agent({ lentFraction: 1, lendingWatchMs: 100 }, { processorMeter: { measure } });
  const lent = (): number => {
    const amounts = fixture.master.requests.flatMap(({ update }) => update?.resources ?? []).at(-1);
    return amounts ? revocableCpuMillis(amounts) : 0;
  };
  // Idle until it is told to begin.
  const script = "trap 'busy=1' USR1; echo $$; sleep 1000 & wait; while :; do :; done";
  fixture.master.launch({
    taskId: "owner",
    spec: { command: "sh", arguments: ["-c", script] },
    resources: { cpuMillis: 120 },
  });
  await expect.poll(lent, patient).toBeGreaterThan(0);

  fixture.master.launch({
    taskId: "borrower",
    spec: { command: "sh", arguments: ["-c", "echo $$; exec sleep 1000"] },
    resources: { memoryMiB: 16, custom: { [revocableCpu]: 60 } },
  });
  await fixture.master.untilState("borrower", TaskState.TASK_RUNNING);
  await expect.poll(() => Number(fixture.outputOf("borrower")), patient).toBeGreaterThan(0);
  expect(getPriority(Number(fixture.outputOf("borrower")))).toBe(19);

  const owner = Number(fixture.outputOf("owner"));
  expect(getPriority(owner)).toBe(0);
  process.kill(owner, "SIGUSR1");
  await fixture.master.untilState("borrower", TaskState.TASK_KILLED);
  expect(fixture.master.of("borrower").at(-1)).toMatchObject({
    reason: StatusReason.REASON_PREEMPTED,
    message: expect.stringContaining("wanted back"),
  });
  await expect.poll(lent, patient).toBe(0);
  expect(fixture.master.of("owner").at(-1)?.state).toBe(TaskState.TASK_RUNNING);
});
