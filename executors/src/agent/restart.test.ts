import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  CheckAction,
  Health,
  RestartMode,
  StatusReason,
  type TaskSpec,
  TaskState,
  type TaskStatus,
} from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentFixture } from "./agent-fixture.test.support.ts";

const fixture = AgentFixture.use(beforeEach, afterEach);
const { TASK_STARTING, TASK_RUNNING, TASK_FAILED, TASK_FINISHED, TASK_KILLED } = TaskState;

function shell(script: string, attempts: number, delayMs = 100): Partial<TaskSpec> {
  const mode = RestartMode.RESTART_MODE_FAIL;
  const restartPolicy = { attempts, intervalMs: 60_000, delayMs, mode, afterSuccess: false };
  return { command: "sh", arguments: ["-c", script], restartPolicy };
}

function statesOf(taskId: string): TaskState[] {
  return fixture.master.of(taskId).map(({ state }) => state);
}

function last(taskId: string): TaskStatus {
  return fixture.master.of(taskId).at(-1) as TaskStatus;
}

function runningCount(taskId: string): number {
  return statesOf(taskId).filter((state) => state === TASK_RUNNING).length;
}

const untilRunning = (taskId: string, count: number): Promise<void> =>
  fixture.master.until(() => runningCount(taskId) >= count, `${taskId} runs for the ${count}. time`);

test("a task that ends badly is started again in its folders and with its ports, and says so", async () => {
  await fixture.agent();
  const script = 'echo "run $MUSTER_PORT_http"; pwd; echo x >> local/marks; [ $(wc -l < local/marks) -ge 3 ] || exit 3';
  fixture.master.launch({ taskId: "again", spec: shell(script, 5), ports: [{ label: "http" }] });
  await fixture.master.untilState("again", TASK_FINISHED);
  expect(statesOf("again")).toEqual([
    TASK_STARTING,
    TASK_RUNNING,
    TASK_STARTING,
    TASK_RUNNING,
    TASK_STARTING,
    TASK_RUNNING,
    TASK_FINISHED,
  ]);
  const [, firstRun, waiting, secondRun] = fixture.master.of("again");
  expect(waiting).toMatchObject({ reason: StatusReason.REASON_RESTARTING, exitCode: 3, restartCount: 1 });
  expect((waiting?.nextTryAt ?? 0) - (waiting?.at ?? 0)).toBeGreaterThanOrEqual(95);
  expect(secondRun?.nextTryAt).toBeUndefined();
  expect(secondRun?.container?.ports).toEqual(firstRun?.container?.ports);
  expect(secondRun?.container?.pid).not.toBe(firstRun?.container?.pid);
  expect(last("again").restartCount).toBe(2);
  // What the attempts have written stands in one file, in their order; nobody gets a fresh folder.
  const lines = fixture.outputOf("again").trim().split("\n");
  expect(lines).toHaveLength(6);
  expect(new Set(lines)).toHaveLength(2);
});

test("restarts that are used up leave the end to the framework", async () => {
  await fixture.agent();
  fixture.master.launch({ taskId: "bad", spec: shell("exit 4", 2, 20) });
  await fixture.master.untilState("bad", TASK_FAILED);
  expect(runningCount("bad")).toBe(3);
  expect(last("bad")).toMatchObject({ exitCode: 4, restartCount: 2, reason: StatusReason.REASON_COMMAND_EXITED });
  expect(last("bad").message).toBe("exit code 4; its 2 restarts within 60 s used up");
});

test("success is an end for good, unless the policy says otherwise; a command that isn't there is, too", async () => {
  await fixture.agent();
  const service = shell("exit 0", 1, 20);
  const restartPolicy = service.restartPolicy && { ...service.restartPolicy, afterSuccess: true };
  fixture.master.launch(
    { taskId: "done", spec: shell("exit 0", 2) },
    { taskId: "serve", spec: { ...service, restartPolicy: restartPolicy ?? null } },
    { taskId: "typo", spec: { ...shell("", 2), command: "no-such-program" } },
  );
  for (const taskId of ["done", "serve"]) await fixture.master.untilState(taskId, TASK_FINISHED);
  await fixture.master.untilState("typo", TASK_FAILED);
  expect([runningCount("done"), runningCount("serve"), runningCount("typo")]).toEqual([1, 2, 0]);
});

test("a kill while a task waits for its next start ends it at once, without another start", async () => {
  await fixture.agent();
  fixture.master.launch({ taskId: "wait", spec: shell("exit 1", 5, 60_000) });
  await fixture.master.until(() => last("wait")?.nextTryAt !== undefined, "a plan");
  fixture.master.kill("wait");
  await fixture.master.untilState("wait", TASK_KILLED);
  expect(last("wait").reason).toBe(StatusReason.REASON_KILLED_BY_FRAMEWORK);
  expect(runningCount("wait")).toBe(1);
});

test("an unhealthy task that its check kills is started again, and its checks begin anew", async () => {
  await fixture.agent();
  const script = "echo x >> marks; exec sleep 300";
  const check = {
    name: "marks",
    script: { command: "sh", arguments: ["-c", "[ $(wc -l < marks) -ge 2 ]"] },
    intervalMs: 100,
    timeoutMs: 5_000,
    graceMs: 0,
    failuresMax: 1,
    action: CheckAction.CHECK_ACTION_KILL,
  };
  fixture.master.launch({ taskId: "sick", spec: { ...shell(script, 3), healthChecks: [check] } });
  await fixture.master.until(() => last("sick")?.health === Health.HEALTH_HEALTHY, "health");
  expect(last("sick").restartCount).toBe(1);
  const restart = fixture.master.of("sick").find(({ reason }) => reason === StatusReason.REASON_RESTARTING);
  expect(restart).toMatchObject({ state: TASK_STARTING, health: Health.HEALTH_UNSPECIFIED, signal: "SIGTERM" });
});

test("an agent that was away goes on with the count and the time of the next start", async () => {
  const first = await fixture.agent();
  fixture.master.launch({ taskId: "kept", spec: shell("exit 5", 2, 1_500) });
  await fixture.master.until(() => last("kept")?.nextTryAt !== undefined, "a plan");
  const planned = last("kept").nextTryAt ?? 0;
  await fixture.stop(first, "leave");
  const second = await fixture.agent();
  await untilRunning("kept", 2);
  expect(last("kept").restartCount).toBeGreaterThan(0);
  const begun = fixture.master
    .of("kept")
    .find(({ state, restartCount }) => state === TASK_RUNNING && restartCount === 1);
  expect((begun?.at ?? 0) - planned).toBeGreaterThanOrEqual(-20);
  // While nobody looks, the second attempt ends.
  await fixture.stop(second, "leave");
  await fixture.agent();
  await fixture.master.untilState("kept", TASK_FAILED);
  expect(last("kept")).toMatchObject({ restartCount: 2, exitCode: 5 });
  const told = fixture.master.of("kept").filter(({ reason }) => reason === StatusReason.REASON_RESTARTING);
  expect(new Set(told.map(({ updateId }) => updateId))).toHaveLength(2);
});

test("whoever follows a task's output or looks at its events sees no attempt of long ago but its output", async () => {
  await fixture.agent();
  fixture.master.launch({ taskId: "often", spec: shell("echo run; exit 1", 5, 1) });
  await fixture.master.untilState("often", TASK_FAILED);
  expect(fixture.outputOf("often")).toBe("run\n".repeat(6));
  const events = readdirSync(join(fixture.dataFolder, "events"));
  expect(events.filter((name) => name.endsWith(".exit"))).toHaveLength(2);
  const [group = ""] = readdirSync(join(fixture.dataFolder, "tasks"));
  const folder = join(fixture.dataFolder, "tasks", group, "0");
  expect(readdirSync(folder).filter((name) => name.startsWith("claim"))).toEqual(["claim-4", "claim-5"]);
  expect(existsSync(join(folder, "logs", "stdout.1"))).toBe(false);
  expect(readFileSync(join(folder, "state"), "latin1")).toContain('"attempt":5');
});
