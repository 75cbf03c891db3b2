import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Health, StatusReason, TaskState, type TaskStatus } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentFixture } from "./agent-fixture.test.support.ts";

const fixture = AgentFixture.use(beforeEach, afterEach);

function last(taskId: string): TaskStatus {
  return fixture.master.of(taskId).at(-1) as TaskStatus;
}

function shell(script: string) {
  return { command: "sh", arguments: ["-c", script] };
}

function keyOf(taskId: string): string {
  const tasks = join(fixture.dataFolder, "tasks");
  const key = readdirSync(tasks).find((name) =>
    readFileSync(join(tasks, name, "intent"), "latin1").includes(`"taskId":"${taskId}"`),
  );
  return key ?? "";
}

function startedFile(taskId: string): string {
  return join(fixture.dataFolder, "events", `${keyOf(taskId)}.0.started`);
}

function fact(taskId: string, name: string): number {
  return Number(new RegExp(`^${name}=(.*)$`, "m").exec(readFileSync(startedFile(taskId), "latin1"))?.[1]);
}

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
}

test("a restarted agent takes up its tasks: same id, pid, ports and health, and nothing is told twice", async () => {
  const first = await fixture.agent();
  const id = first.agentId();
  const script = 'require("net").createServer((s) => s.end()).listen(process.env.MUSTER_PORT_http)';
  const check = {
    name: "",
    tcp: { portLabel: "http" },
    intervalMs: 0,
    timeoutMs: 0,
    failuresMax: 0,
    action: 0 as const,
  };
  const spec = { command: process.execPath, arguments: ["-e", script], healthChecks: [check] };
  fixture.master.launch({ taskId: "web", spec, ports: [{ label: "http" }] });
  await fixture.master.until(() => last("web")?.health === Health.HEALTH_HEALTHY, "health");
  const before = last("web");
  // The acknowledgement is on its way to the agent.
  await new Promise((resolve) => setTimeout(resolve, 200));
  await fixture.stop(first, "leave");
  fixture.master.reports.length = 0;
  const second = await fixture.agent();
  expect(second.agentId()).toBe(id);
  expect(fixture.master.reports).toHaveLength(1);
  const { status, acknowledged } = fixture.master.reports[0] ?? {};
  expect(acknowledged).toBe(true);
  expect(status?.container).toEqual(before.container);
  expect(status).toMatchObject({
    state: TaskState.TASK_RUNNING,
    health: Health.HEALTH_HEALTHY,
    sequence: before.sequence,
  });
  expect(last("web")).toBe(before);
});

test("case 55: a task that exits with 7 while the agent is away is told as FAILED with 7", async () => {
  const first = await fixture.agent();
  fixture.master.launch({ taskId: "brief", spec: shell("sleep 0.3; exit 7") });
  await fixture.master.untilState("brief", TaskState.TASK_RUNNING);
  await fixture.stop(first, "leave");
  await new Promise((resolve) => setTimeout(resolve, 600));
  await fixture.agent();
  await fixture.master.untilState("brief", TaskState.TASK_FAILED);
  expect(last("brief").exitCode).toBe(7);
});

test("case 56: a task that is killed by signal 9 while the agent is away is told with that signal", async () => {
  const first = await fixture.agent();
  fixture.master.launch({ taskId: "shot", spec: shell("sleep 300") });
  await fixture.master.untilState("shot", TaskState.TASK_RUNNING);
  await fixture.stop(first, "leave");
  process.kill(last("shot").container?.pid ?? 0, "SIGKILL");
  await new Promise((resolve) => setTimeout(resolve, 200));
  await fixture.agent();
  await fixture.master.untilState("shot", TaskState.TASK_FAILED);
  expect(last("shot")).toMatchObject({ signal: "SIGKILL", exitCode: undefined });
});

test("case 57: a pid that was given to a stranger is not taken for the task, and the stranger is unharmed", async () => {
  const first = await fixture.agent();
  fixture.master.launch({ taskId: "gone", spec: shell("sleep 300") });
  await fixture.master.untilState("gone", TaskState.TASK_RUNNING);
  await fixture.stop(first, "leave");
  const main = fact("gone", "pid");
  process.kill(fact("gone", "shim"), "SIGKILL");
  process.kill(main, "SIGKILL");
  // As after the wrap of pids: the record names pids that now belong to this test, started at another time.
  const text = readFileSync(startedFile("gone"), "latin1");
  writeFileSync(startedFile("gone"), text.replace(/^(pid|shim)=.*$/gm, `$1=${process.pid}`));
  await fixture.agent();
  await fixture.master.untilState("gone", TaskState.TASK_FAILED);
  expect(last("gone").reason).toBe(StatusReason.REASON_SUPERVISOR_LOST);
});

test("case 58: when a shim is killed its task ends with it, and nothing is orphaned", async () => {
  await fixture.agent();
  fixture.master.launch({ taskId: "orphan", spec: shell("setsid sleep 300 & sleep 301") });
  await fixture.master.untilState("orphan", TaskState.TASK_RUNNING);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const task = `MUSTER_TASK_ID=orphan`;
  const ofTask = (): number[] =>
    readdirSync("/proc")
      .map(Number)
      .filter((pid) => {
        try {
          return pid > 0 && readFileSync(`/proc/${pid}/environ`, "latin1").includes(task) && isAlive(pid);
        } catch {
          return false;
        }
      });
  expect(ofTask().length).toBe(3);
  process.kill(fact("orphan", "shim"), "SIGKILL");
  await fixture.master.untilState("orphan", TaskState.TASK_FAILED);
  expect(last("orphan").reason).toBe(StatusReason.REASON_SUPERVISOR_LOST);
  expect(ofTask()).toEqual([]);
});

test("one flipped byte damages one task: its neighbour is taken up, it fails with a reason and is ended", async () => {
  const first = await fixture.agent();
  fixture.master.launch({ taskId: "hurt", spec: shell("sleep 300") }, { taskId: "fine", spec: shell("sleep 300") });
  for (const taskId of ["hurt", "fine"]) await fixture.master.untilState(taskId, TaskState.TASK_RUNNING);
  await fixture.stop(first, "leave");
  const path = join(fixture.dataFolder, "tasks", keyOf("hurt"), "intent");
  const bytes = readFileSync(path);
  bytes[40] = (bytes[40] as number) ^ 1;
  writeFileSync(path, bytes);
  const pid = last("hurt").container?.pid ?? 0;
  await fixture.agent();
  await fixture.master.untilState("hurt", TaskState.TASK_FAILED);
  expect(last("hurt").reason).toBe(StatusReason.REASON_CHECKPOINT_DAMAGED);
  expect(isAlive(pid)).toBe(false);
  expect(isAlive(last("fine").container?.pid ?? 0)).toBe(true);
  expect(readdirSync(join(fixture.dataFolder, "quarantine"))).toHaveLength(1);
});

test("a task whose state is damaged is taken up by what its shim has written", async () => {
  const first = await fixture.agent();
  fixture.master.launch({ taskId: "web", spec: shell("sleep 300") });
  await fixture.master.untilState("web", TaskState.TASK_RUNNING);
  const { pid } = last("web").container ?? {};
  const sequence = last("web").sequence;
  await fixture.stop(first, "leave");
  writeFileSync(join(fixture.dataFolder, "tasks", keyOf("web"), "0", "state"), "torn");
  await fixture.agent();
  await fixture.master.until(() => last("web").sequence > sequence, "news");
  expect(last("web")).toMatchObject({ state: TaskState.TASK_RUNNING, container: { pid } });
});

test("after a restart of the machine every task that lived is told once as FAILED, with that reason", async () => {
  const first = await fixture.agent();
  fixture.master.launch({ taskId: "old", spec: shell("sleep 300") });
  await fixture.master.untilState("old", TaskState.TASK_RUNNING);
  const pid = last("old").container?.pid ?? 0;
  await fixture.stop(first, "leave");
  const { hostWorld } = await import("../host-world.ts");
  const { silentLog, systemClock } = await import("@muster/foundation");
  const { proc } = hostWorld({ dataFolder: fixture.dataFolder, clock: systemClock, log: silentLog });
  const rebooted = await fixture.agent({}, { proc: Object.assign(proc, { bootId: "another-boot" }) });
  await fixture.master.untilState("old", TaskState.TASK_FAILED);
  expect(last("old").reason).toBe(StatusReason.REASON_AGENT_REBOOTED);
  await fixture.stop(rebooted, "leave");
  const count = fixture.master.of("old").length;
  await fixture.agent();
  expect(fixture.master.of("old")).toHaveLength(count);
  const end = join(fixture.dataFolder, "events", `${keyOf("old")}.0.exit`);
  process.kill(pid, "SIGKILL");
  // Its shim writes into the folder that is deleted next.
  await expect.poll(() => existsSync(end)).toBe(true);
});

test("a master of a lower epoch than was seen is refused, also by the next agent", async () => {
  fixture.master.epoch = 7;
  const first = await fixture.agent();
  fixture.master.launch({ taskId: "a", spec: { command: "true" } });
  await fixture.master.untilState("a", TaskState.TASK_FINISHED);
  await fixture.stop(first, "leave");
  await fixture.agent();
  expect(fixture.master.requests.findLast(({ registration }) => registration)?.registration?.epochSeen).toBe(7);
  const { sessions } = fixture.master;
  fixture.master.epoch = 6;
  fixture.master.launch({ taskId: "b", spec: { command: "true" } });
  await fixture.master.until(() => fixture.master.sessions > sessions, "another session");
  expect(fixture.master.of("b")).toEqual([]);
});

test("statuses that nobody acknowledged are kept over a restart, and told in order", async () => {
  const first = await fixture.agent();
  fixture.master.acknowledges = false;
  fixture.master.launch({ taskId: "kept", spec: shell("exit 4") });
  await fixture.master.untilState("kept", TaskState.TASK_STARTING);
  await new Promise((resolve) => setTimeout(resolve, 300));
  await fixture.stop(first, "leave");
  fixture.master.statuses.length = 0;
  fixture.master.acknowledges = true;
  await fixture.agent();
  await fixture.master.untilState("kept", TaskState.TASK_FAILED);
  expect(fixture.master.of("kept").map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
});
