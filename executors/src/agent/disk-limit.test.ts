import { StatusReason, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentFixture } from "./agent-fixture.test.support.ts";

const fixture = AgentFixture.use(beforeEach, afterEach);

function fills(mebibytes: number) {
  const script = `head -c ${mebibytes}M /dev/zero > "$NOMAD_TASK_DIR/big"; echo filled; sleep 1000`;
  return { command: "sh", arguments: ["-c", script] };
}

test("a task that fills the disk beyond its limit ends and says with what, a task beside it goes on", async () => {
  await fixture.agent({ diskWatchMs: 50 });
  fixture.master.launch(
    { taskId: "small", spec: fills(2), resources: { diskMiB: 8 } },
    { taskId: "fills", spec: fills(16), resources: { diskMiB: 8 } },
    { taskId: "unlimited", spec: fills(16) },
  );
  await fixture.master.untilState("fills", TaskState.TASK_FAILED);
  const end = fixture.master.of("fills").at(-1);
  expect(end?.reason).toBe(StatusReason.REASON_DISK_LIMIT);
  expect(end?.message).toMatch(
    /^DISK_LIMIT: its files take \d+ MiB of the disk, its limit is 8 MiB; the largest is \/local\/big$/,
  );
  for (const taskId of ["small", "unlimited"]) {
    await expect.poll(() => fixture.outputOf(taskId)).toBe("filled\n");
    expect(fixture.master.of(taskId).at(-1)?.state).toBe(TaskState.TASK_RUNNING);
  }
});
