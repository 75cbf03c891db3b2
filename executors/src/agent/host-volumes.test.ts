import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type HostMount, StatusReason, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentFixture } from "./agent-fixture.test.support.ts";

const fixture = AgentFixture.use(beforeEach, afterEach);
const { TASK_DROPPED, TASK_ERROR, TASK_FINISHED } = TaskState;
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-volume-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const agent = () => fixture.agent(fixture.configWith({ hostVolumes: [{ name: "data", folder, isReadOnly: false }] }));

function launch(taskId: string, mount: Partial<HostMount>, script = "true"): void {
  const hostMounts = [{ source: "data", volume: "store", destination: "/srv/store", readOnly: false, ...mount }];
  fixture.master.launch({ taskId, spec: { command: "sh", arguments: ["-c", script], hostMounts } });
}

test("a plain process finds a folder of its host below its own, and where that is", async () => {
  await agent();
  launch("writes", {}, 'echo kept > srv/store/file; cat "$MUSTER_VOLUME_store/file"');
  await fixture.master.untilState("writes", TASK_FINISHED);
  expect(fixture.outputOf("writes")).toBe("kept\n");
  expect(readFileSync(join(folder, "file"), "utf8")).toBe("kept\n");
});

test("an agent without the folder drops the launch and names it", async () => {
  await agent();
  launch("elsewhere", { source: "other" });
  await fixture.master.untilState("elsewhere", TASK_DROPPED);
  expect(fixture.master.of("elsewhere").at(-1)).toMatchObject({
    reason: StatusReason.REASON_VOLUME_UNAVAILABLE,
    message: 'host volume "other" is not declared on this agent',
  });
});

test.each<[Partial<HostMount>, RegExp]>([
  [{ destination: "relative" }, /^spec\.host_mounts: "relative" must be an absolute path without dots$/],
  [{ destination: "/a/../../b" }, /^spec\.host_mounts: .* must be an absolute path without dots$/],
  [{ volume: "a/b" }, /^spec\.host_mounts: "a\/b" must be 1 to 64 letters/],
  [{ readOnly: true }, /a plain process can't be kept from writing to a volume/],
])("%o is refused with its field", async (mount, expected) => {
  await agent();
  launch("wrong", mount);
  await fixture.master.untilState("wrong", TASK_ERROR);
  expect(fixture.master.of("wrong").at(-1)?.message).toMatch(expected);
});
