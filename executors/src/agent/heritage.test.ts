import { TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentFixture } from "./agent-fixture.test.support.ts";

const { TASK_FINISHED, TASK_RUNNING, TASK_STARTING } = TaskState;
const fixture = AgentFixture.use(beforeEach, afterEach);

const script = (text: string) => ({ command: "sh", arguments: ["-c", text] });
const writes = script('echo own > local/f; echo other > "$MUSTER_ALLOC_DIR/g"');
const reads = script('cat local/f "$MUSTER_ALLOC_DIR/g" 2>/dev/null; echo more >> local/f; :');

/** What the tasks of a launch were said to begin with. */
const remarks = (taskId: string) =>
  fixture.master
    .of(taskId)
    .filter(({ state }) => state === TASK_STARTING)
    .map(({ message }) => message)
    .filter((message) => message !== "");

test("a launch finds what its predecessor has left, task by task of the same names, and its successor what it has added", async () => {
  await fixture.agent();
  const others = [{ taskId: "side-1", name: "side", spec: script("echo side > local/s") }];
  fixture.master.launch({ taskId: "first", name: "main", spec: writes, others });
  await fixture.master.untilState("first", TASK_FINISHED);
  await fixture.master.untilState("side-1", TASK_FINISHED);
  const next = [{ taskId: "side-2", name: "side", spec: script("cat local/s; ls local") }];
  fixture.master.launch({
    ...{ taskId: "second", name: "main", spec: reads, others: next },
    predecessorLaunchId: "launch-first",
  });
  await fixture.master.untilState("second", TASK_FINISHED);
  await fixture.master.untilState("side-2", TASK_FINISHED);
  expect(fixture.outputOf("second")).toBe("own\nother\n");
  expect(fixture.outputOf("side-2")).toBe("side\ns\n");
  expect(remarks("second")).toEqual([]);
  fixture.master.launch({ taskId: "third", name: "main", spec: reads, predecessorLaunchId: "launch-second" });
  await fixture.master.untilState("third", TASK_FINISHED);
  expect(fixture.outputOf("third")).toBe("own\nmore\nother\n");
});

test("who can't have the files of its predecessor begins with empty folders, and says why", async () => {
  await fixture.agent();
  fixture.master.launch({ taskId: "lives", name: "main", spec: script("echo own > local/f; sleep 100") });
  await fixture.master.untilState("lives", TASK_RUNNING);
  fixture.master.launch({ taskId: "beside", name: "main", spec: reads, predecessorLaunchId: "launch-lives" });
  await fixture.master.untilState("beside", TASK_FINISHED);
  fixture.master.launch({ taskId: "stranger", name: "main", spec: reads, predecessorLaunchId: "launch-none" });
  await fixture.master.untilState("stranger", TASK_FINISHED);
  for (const taskId of ["beside", "stranger"]) expect(fixture.outputOf(taskId)).toBe("");
  expect(remarks("beside")).toEqual(["begins with empty folders: its predecessor has not ended"]);
  expect(remarks("stranger")).toEqual(["begins with empty folders: nothing of its predecessor is left on this agent"]);
});

test("a folder that a task has exchanged for a link is not taken over", async () => {
  await fixture.agent();
  fixture.master.launch({ taskId: "first", name: "main", spec: script("rm -r local; ln -s /etc local") });
  await fixture.master.untilState("first", TASK_FINISHED);
  fixture.master.launch({
    taskId: "second",
    name: "main",
    spec: script("ls local"),
    predecessorLaunchId: "launch-first",
  });
  await fixture.master.untilState("second", TASK_FINISHED);
  expect(fixture.outputOf("second")).toBe("");
  expect(remarks("second")[0]).toMatch(/links are not followed/);
});

test("an agent that was killed before the launch began goes on with what was left", async () => {
  const agent = await fixture.agent();
  fixture.master.launch({ taskId: "first", name: "main", spec: writes });
  await fixture.master.untilState("first", TASK_FINISHED);
  fixture.master.launch({ taskId: "second", name: "main", spec: reads, predecessorLaunchId: "launch-first" });
  await fixture.stop(agent, "kill");
  await fixture.agent();
  // What the agent had not written down is launched anew.
  fixture.master.launch({ taskId: "second", name: "main", spec: reads, predecessorLaunchId: "launch-first" });
  await fixture.master.untilState("second", TASK_FINISHED);
  expect(fixture.outputOf("second")).toBe("own\nother\n");
});
