import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DiskFailure, hostWorld } from "@muster/executors";
import { silentLog, systemClock } from "@muster/foundation";
import { StatusReason, TaskState, type TaskStatus } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { until } from "../e2e/dev-cluster.ts";

// Real agents with real processes and files, against a master that says what a test tells it to.
const fixture = AgentFixture.use(beforeEach, afterEach);
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A folder that tasks leave their traces in. */
function traces(): string {
  const folder = mkdtempSync(join(tmpdir(), "muster-traces-"));
  folders.push(folder);
  return folder;
}

function shell(script: string) {
  return { command: "sh", arguments: ["-c", script] };
}

const statesOf = (taskId: string): TaskState[] => fixture.master.of(taskId).map(({ state }) => state);

function last(taskId: string): TaskStatus {
  const status = fixture.master.of(taskId).at(-1);
  if (status === undefined) throw new Error(`nothing was told of ${taskId}`);
  return status;
}

const pidOf = (taskId: string): number => last(taskId).container?.pid ?? 0;

function isAlive(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.[0] !== "Z";
  } catch {
    return false;
  }
}

/** The folder below `tasks` in which the agent keeps a task. */
function keyOf(taskId: string): string {
  const tasks = join(fixture.dataFolder, "tasks");
  const key = readdirSync(tasks).find((name) =>
    readFileSync(join(tasks, name, "intent"), "latin1").includes(`"taskId":"${taskId}"`),
  );
  if (key === undefined) throw new Error(`${taskId} is not recorded`);
  return key;
}

const startedFile = (taskId: string): string => join(fixture.dataFolder, "events", `${keyOf(taskId)}.0.started`);

function startFact(taskId: string, name: string): number {
  return Number(new RegExp(`^${name}=(.*)$`, "m").exec(readFileSync(startedFile(taskId), "latin1"))?.[1]);
}

async function launchRunning(...taskIds: string[]): Promise<void> {
  fixture.master.launch(...taskIds.map((taskId) => ({ taskId, spec: shell("sleep 300") })));
  for (const taskId of taskIds) await fixture.master.untilState(taskId, TaskState.TASK_RUNNING);
}

/** A disk whose commits fail while `failure` is set. */
function faultyWorld() {
  const world = hostWorld({ dataFolder: fixture.dataFolder, clock: systemClock, log: silentLog });
  const faulty = {
    failure: undefined as DiskFailure | undefined,
    /** Whether space that is given back ends the fault, as on a full disk. */
    isMadeGoodBySpace: false,
  };
  const disk: typeof world.disk = {
    ...world.disk,
    commit: (writes, done) => {
      const { failure } = faulty;
      if (failure === undefined) world.disk.commit(writes, done);
      else setImmediate(() => done(failure));
    },
    releaseBallast: () => {
      if (faulty.isMadeGoodBySpace) faulty.failure = undefined;
      return world.disk.releaseBallast();
    },
  };
  return { faulty, deps: { ...world, disk } };
}

test("case 3: what a deposed leader still sends is refused, and the agent leaves it", async () => {
  fixture.master.epoch = 7;
  await fixture.agent();
  await launchRunning("kept");
  const { sessions } = fixture.master;
  fixture.master.epoch = 6;
  fixture.master.launch({ taskId: "late", spec: { command: "true" } });
  fixture.master.kill("kept", 0);
  await fixture.master.until(() => fixture.master.sessions > sessions, "another session");
  const again = fixture.master.requests.findLast(({ registration }) => registration !== null);
  expect(again?.registration?.epochSeen).toBe(7);
  expect(statesOf("late")).toEqual([]);
  expect(isAlive(pidOf("kept"))).toBe(true);
});

test("case 13: a task that exits with 7 while its agent is down is FAILED with 7", async () => {
  const folder = traces();
  const first = await fixture.agent();
  const script = `until [ -e ${folder}/go ]; do sleep 0.02; done; exit 7`;
  fixture.master.launch({ taskId: "brief", spec: shell(script) });
  await fixture.master.untilState("brief", TaskState.TASK_RUNNING);
  await fixture.stop(first, "leave");
  writeFileSync(join(folder, "go"), "");
  await until("the task has ended", 5_000, () => !isAlive(pidOf("brief")));
  await fixture.agent();
  await fixture.master.untilState("brief", TaskState.TASK_FAILED);
  expect(last("brief")).toMatchObject({ exitCode: 7, signal: "", reason: StatusReason.REASON_COMMAND_EXITED });
});

test("case 15: wherever one byte of a task's record is flipped, that task fails with a reason, and its neighbours are fine", async () => {
  const first = await fixture.agent();
  await launchRunning("head", "middle", "tail", "fine");
  await fixture.stop(first, "leave");
  const flips = { head: 0, middle: 0.5, tail: 1 } as const;
  for (const [taskId, part] of Object.entries(flips)) {
    const path = join(fixture.dataFolder, "tasks", keyOf(taskId), "intent");
    const bytes = readFileSync(path);
    const at = Math.round(part * (bytes.length - 1));
    bytes[at] = (bytes[at] as number) ^ 1;
    writeFileSync(path, bytes);
  }
  const running = Object.fromEntries(["head", "middle", "tail", "fine"].map((taskId) => [taskId, pidOf(taskId)]));
  await fixture.agent();
  for (const taskId of Object.keys(flips)) {
    await fixture.master.untilState(taskId, TaskState.TASK_FAILED);
    expect(last(taskId).reason, taskId).toBe(StatusReason.REASON_CHECKPOINT_DAMAGED);
    expect(isAlive(running[taskId] ?? 0), taskId).toBe(false);
  }
  expect(last("fine").state).toBe(TaskState.TASK_RUNNING);
  expect(isAlive(running["fine"] ?? 0)).toBe(true);
  expect(readdirSync(join(fixture.dataFolder, "quarantine"))).toHaveLength(3);
});

test("case 15: a task whose state is damaged is taken up by what its supervisor has written", async () => {
  const first = await fixture.agent();
  await launchRunning("web");
  const before = last("web");
  await fixture.stop(first, "leave");
  const path = join(fixture.dataFolder, "tasks", keyOf("web"), "0", "state");
  const bytes = readFileSync(path);
  bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 0x80;
  writeFileSync(path, bytes);
  await fixture.agent();
  await fixture.master.until(() => last("web").sequence > before.sequence, "news");
  expect(last("web")).toMatchObject({ state: TaskState.TASK_RUNNING, container: { pid: before.container?.pid } });
});

test("case 16: on a full disk a launch is dropped, and the end of a task is recorded all the same", async () => {
  const folder = traces();
  const { faulty, deps } = faultyWorld();
  const agent = await fixture.agent({}, deps);
  fixture.master.launch({ taskId: "brief", spec: shell(`until [ -e ${folder}/go ]; do sleep 0.02; done; exit 3`) });
  await fixture.master.untilState("brief", TaskState.TASK_RUNNING);
  faulty.failure = { kind: "full", message: "no space left on device" };
  fixture.master.launch({ taskId: "more", spec: shell(`touch ${folder}/more`) });
  await fixture.master.untilState("more", TaskState.TASK_DROPPED);
  expect(last("more").reason).toBe(StatusReason.REASON_DISK);
  faulty.isMadeGoodBySpace = true;
  fixture.master.acknowledges = false;
  writeFileSync(join(folder, "go"), "");
  await fixture.master.untilState("brief", TaskState.TASK_FAILED);
  // It is on the disk, not only told: the next agent knows it, too.
  await fixture.stop(agent, "leave");
  fixture.master.statuses.length = 0;
  fixture.master.acknowledges = true;
  await fixture.agent();
  await fixture.master.untilState("brief", TaskState.TASK_FAILED);
  expect(last("brief").exitCode).toBe(3);
  expect(existsSync(join(folder, "more"))).toBe(false);
});

test("case 17: a disk that fails refuses launches for good, and tasks run on", async () => {
  const folder = traces();
  const { faulty, deps } = faultyWorld();
  await fixture.agent({}, deps);
  await launchRunning("long");
  faulty.failure = { kind: "broken", message: "EIO: i/o error, fsync" };
  fixture.master.launch({ taskId: "first", spec: shell(`touch ${folder}/first`) });
  await fixture.master.untilState("first", TaskState.TASK_DROPPED);
  // What a failed sync has written is not known: a disk that seems well again is not trusted.
  faulty.failure = undefined;
  fixture.master.launch({ taskId: "second", spec: shell(`touch ${folder}/second`) });
  await fixture.master.untilState("second", TaskState.TASK_DROPPED);
  expect(readdirSync(folder)).toEqual([]);
  expect(isAlive(pidOf("long"))).toBe(true);
  expect(statesOf("long")).toEqual([TaskState.TASK_STARTING, TaskState.TASK_RUNNING]);
});

test("case 18: a stranger that has got the pid of a task is not taken for it, and is unharmed", async () => {
  const first = await fixture.agent();
  await launchRunning("gone");
  await fixture.stop(first, "leave");
  process.kill(startFact("gone", "shim"), "SIGKILL");
  process.kill(startFact("gone", "pid"), "SIGKILL");
  await until("the task is gone", 5_000, () => !isAlive(pidOf("gone")));
  // As after the wrap of pids: the record names the pid of another process, which started at another time.
  const stranger = spawn("sleep", ["300"]);
  try {
    const text = readFileSync(startedFile("gone"), "latin1");
    writeFileSync(startedFile("gone"), text.replace(/^(pid|shim)=.*$/gm, `$1=${stranger.pid}`));
    await fixture.agent();
    await fixture.master.untilState("gone", TaskState.TASK_FAILED);
    expect(last("gone").reason).toBe(StatusReason.REASON_SUPERVISOR_LOST);
    fixture.master.kill("gone", 0);
    await launchRunning("after");
    expect(isAlive(stranger.pid ?? 0)).toBe(true);
  } finally {
    stranger.kill("SIGKILL");
  }
});

test("case 19: after a restart of the machine each task that lived is FAILED, once, with that reason", async () => {
  const first = await fixture.agent();
  await launchRunning("one", "two");
  const pids = [pidOf("one"), pidOf("two")];
  await fixture.stop(first, "leave");
  // What a restart would have done.
  for (const taskId of ["one", "two"]) process.kill(startFact(taskId, "shim"), "SIGKILL");
  for (const pid of pids) process.kill(pid, "SIGKILL");
  const { proc } = hostWorld({ dataFolder: fixture.dataFolder, clock: systemClock, log: silentLog });
  const rebooted = await fixture.agent({}, { proc: Object.assign(proc, { bootId: "another-boot" }) });
  for (const taskId of ["one", "two"]) {
    await fixture.master.untilState(taskId, TaskState.TASK_FAILED);
    expect(last(taskId).reason).toBe(StatusReason.REASON_AGENT_REBOOTED);
  }
  await until("both ends are acknowledged", 5_000, () => {
    const states = ["one", "two"].map((taskId) =>
      readFileSync(join(fixture.dataFolder, "tasks", keyOf(taskId), "0", "state"), "latin1"),
    );
    return states.every((state) => state.includes('"queue":[]'));
  });
  await fixture.stop(rebooted, "leave");
  await fixture.agent({}, { proc: Object.assign(proc, { bootId: "another-boot" }) });
  await launchRunning("new");
  for (const taskId of ["one", "two"])
    expect(statesOf(taskId).filter((state) => state === TaskState.TASK_FAILED)).toHaveLength(1);
});

test("case 20: a launch that is sent twice starts one process, also by the next agent", async () => {
  const folder = traces();
  const first = await fixture.agent();
  const wish = { taskId: "once", spec: shell(`echo x >> ${folder}/runs; sleep 300`) };
  fixture.master.launch(wish, wish);
  await fixture.master.untilState("once", TaskState.TASK_RUNNING);
  fixture.master.launch(wish);
  // A launch behind it: when that has started, the repeated one has been dealt with.
  await launchRunning("after");
  await fixture.stop(first, "leave");
  await fixture.agent();
  fixture.master.launch(wish);
  await launchRunning("last");
  expect(readFileSync(join(folder, "runs"), "utf8")).toBe("x\n");
  expect(new Set(statesOf("once"))).toEqual(new Set([TaskState.TASK_STARTING, TaskState.TASK_RUNNING]));
});

test("case 21: the id of a living task under another launch id is an ERROR, and the first is untouched", async () => {
  const folder = traces();
  await fixture.agent();
  const wish = { taskId: "once", spec: shell(`echo x >> ${folder}/runs; sleep 300`) };
  fixture.master.launch(wish);
  await fixture.master.untilState("once", TaskState.TASK_RUNNING);
  const { container } = last("once");
  fixture.master.launch({ ...wish, launchId: "another" });
  await fixture.master.until(() => last("once").launchId === "another", "an answer to the second launch");
  expect(last("once")).toMatchObject({ state: TaskState.TASK_ERROR, reason: StatusReason.REASON_DUPLICATE_TASK });
  const own = fixture.master.of("once").filter(({ launchId }) => launchId === "launch-once");
  expect(own.map(({ state }) => state)).toEqual([TaskState.TASK_STARTING, TaskState.TASK_RUNNING]);
  expect(isAlive(container?.pid ?? 0)).toBe(true);
  // RUNNING says that the shell was started, not that it has come to its first line.
  await expect.poll(() => readFileSync(join(folder, "runs"), "utf8"), { timeout: 10_000 }).toBe("x\n");
});

test("case 22: a kill that overtakes its launch ends the task as KILLED, and nothing starts", async () => {
  const folder = traces();
  await fixture.agent();
  fixture.master.kill("late");
  fixture.master.launch({ taskId: "late", spec: shell(`touch ${folder}/started`) });
  await fixture.master.untilState("late", TaskState.TASK_KILLED);
  await launchRunning("after");
  expect(statesOf("late")).toEqual([TaskState.TASK_KILLED]);
  expect(existsSync(join(folder, "started"))).toBe(false);
});

test("case 23: the end of a task is held until RUNNING is acknowledged, also by the next agent", async () => {
  const first = await fixture.agent();
  fixture.master.acknowledges = false;
  fixture.master.launch({ taskId: "held", spec: { command: "true" } });
  await fixture.master.untilState("held", TaskState.TASK_STARTING);
  fixture.master.acknowledge(last("held"));
  await fixture.master.untilState("held", TaskState.TASK_RUNNING);
  const path = join(fixture.dataFolder, "tasks", keyOf("held"), "0", "state");
  await until("the end is recorded", 5_000, () => readFileSync(path, "latin1").includes('"exitCode":0'));
  const isResent = (): boolean => statesOf("held").filter((state) => state === TaskState.TASK_RUNNING).length > 1;
  await fixture.master.until(isResent, "RUNNING again");
  expect(statesOf("held")).not.toContain(TaskState.TASK_FINISHED);
  await fixture.stop(first, "leave");
  fixture.master.statuses.length = 0;
  await fixture.agent();
  await fixture.master.untilState("held", TaskState.TASK_RUNNING);
  expect(statesOf("held")).not.toContain(TaskState.TASK_FINISHED);
  fixture.master.acknowledge(last("held"));
  await fixture.master.untilState("held", TaskState.TASK_FINISHED);
});

test("case 27: a task that has forked and ignores TERM is gone with all it brought forth six seconds after a kill with a grace of five", async () => {
  const folder = traces();
  await fixture.agent();
  const script = [
    "trap '' TERM",
    `(setsid sh -c "trap '' TERM; echo \\$\\$ > ${folder}/child; while :; do sleep 1; done" &)`,
    "while :; do sleep 1; done",
  ].join("; ");
  fixture.master.launch({ taskId: "stubborn", spec: shell(script) });
  await fixture.master.untilState("stubborn", TaskState.TASK_RUNNING);
  const child = (): number => Number(existsSync(`${folder}/child`) ? readFileSync(`${folder}/child`, "utf8") : 0);
  await until("it has forked", 5_000, () => child() > 0);
  const pids = [pidOf("stubborn"), child()];
  expect(pids.map(isAlive)).toEqual([true, true]);
  const beganMs = performance.now();
  fixture.master.kill("stubborn", 5_000);
  await fixture.master.untilState("stubborn", TaskState.TASK_KILLED);
  const tookMs = performance.now() - beganMs;
  expect(pids.map(isAlive)).toEqual([false, false]);
  expect(tookMs).toBeGreaterThan(4_900);
  expect(tookMs).toBeLessThan(6_000);
});
