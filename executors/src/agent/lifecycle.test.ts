import { LifecycleHook, RestartMode, StatusReason, type TaskSpec, TaskState, type TaskStatus } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentFixture } from "./agent-fixture.test.support.ts";

const fixture = AgentFixture.use(beforeEach, afterEach);
const { TASK_RUNNING, TASK_FAILED, TASK_FINISHED, TASK_KILLED, TASK_KILLING } = TaskState;
const {
  LIFECYCLE_HOOK_PRESTART: prestart,
  LIFECYCLE_HOOK_POSTSTART: poststart,
  LIFECYCLE_HOOK_POSTSTOP: poststop,
} = LifecycleHook;

type Member = { taskId: string; spec: Partial<TaskSpec> };

/** A task that writes its name and what it does into a file that the group shares. */
function member(taskId: string, script: string, fields: Partial<TaskSpec> = {}): Member {
  const text = `echo ${taskId} >> $NOMAD_ALLOC_DIR/order; ${script}`;
  return { taskId, spec: { command: "sh", arguments: ["-c", text], ...fields } };
}

function launch(first: Member, ...others: Member[]): void {
  fixture.master.launch({ ...first, others });
}

function last(taskId: string): TaskStatus {
  return fixture.master.of(taskId).at(-1) as TaskStatus;
}

/** The states of several tasks in the order in which they were told, each once. */
function told(...taskIds: string[]): string[] {
  const seen = new Set<string>();
  for (const { taskId, state } of fixture.master.statuses)
    if (taskIds.includes(taskId)) seen.add(`${taskId} ${nameOf(state)}`);
  return [...seen];
}

function nameOf(state: TaskState): string {
  return (
    Object.entries(TaskState)
      .find(([, number]) => number === state)?.[0]
      .slice("TASK_".length) ?? ""
  );
}

const until = (taskId: string, state: TaskState): Promise<void> => fixture.master.untilState(taskId, state);

test("what stands before the start succeeds, and sidecars run, before the main tasks start", async () => {
  await fixture.agent();
  launch(
    member("main", "exec sleep 300"),
    member("init", "sleep 0.3", { hook: prestart }),
    member("proxy", "exec sleep 300", { hook: prestart, sidecar: true }),
    member("after", "true", { hook: poststart }),
  );
  await until("after", TASK_FINISHED);
  const order = told("main", "init", "proxy", "after").filter((text) => !text.endsWith("STARTING"));
  const at = (text: string): number => order.indexOf(text);
  expect(at("main RUNNING")).toBeGreaterThan(at("init FINISHED"));
  expect(at("main RUNNING")).toBeGreaterThan(at("proxy RUNNING"));
  expect(at("after RUNNING")).toBeGreaterThan(at("main RUNNING"));
  expect([last("main").state, last("proxy").state]).toEqual([TASK_RUNNING, TASK_RUNNING]);
});

test("when the main tasks have ended sidecars are ended, and what stands after the end runs; all of it is success", async () => {
  await fixture.agent();
  launch(
    member("main", "sleep 0.2"),
    member("proxy", "exec sleep 300", { hook: prestart, sidecar: true }),
    member("tidy", "cat $NOMAD_ALLOC_DIR/order", { hook: poststop }),
  );
  await until("tidy", TASK_FINISHED);
  await until("proxy", TASK_KILLED);
  await until("main", TASK_FINISHED);
  expect(last("proxy").reason).toBe(StatusReason.REASON_TASK_GROUP_ENDED);
  expect(last("main").state).toBe(TASK_FINISHED);
  expect(fixture.outputOf("tidy").trim().split("\n")).toEqual(["proxy", "main", "tidy"]);
});

test("a kill of a group ends its main tasks, then its sidecars; what stands after the end runs all the same", async () => {
  await fixture.agent();
  const slow = 'trap "sleep 0.3; exit 0" TERM; sleep 300 & wait';
  launch(
    member("main", slow),
    member("proxy", "exec sleep 300", { hook: prestart, sidecar: true }),
    member("tidy", "sleep 0.2", { hook: poststop }),
  );
  await until("main", TASK_RUNNING);
  for (const taskId of ["main", "proxy", "tidy"]) fixture.master.kill(taskId);
  await until("tidy", TASK_FINISHED);
  await until("proxy", TASK_KILLED);
  const order = told("main", "proxy", "tidy");
  expect(order.indexOf("proxy KILLING")).toBeGreaterThan(order.indexOf("main KILLED"));
  expect(order.indexOf("tidy RUNNING")).toBeGreaterThan(order.indexOf("main KILLED"));
});

test("what fails before the start takes the group with it, and nothing of it runs", async () => {
  await fixture.agent();
  launch(
    member("main", "exec sleep 300"),
    member("init", "exit 3", { hook: prestart }),
    member("tidy", "true", { hook: poststop }),
  );
  await until("init", TASK_FAILED);
  for (const taskId of ["main", "tidy"]) await until(taskId, TASK_KILLED);
  expect(last("init")).toMatchObject({ state: TASK_FAILED, exitCode: 3 });
  expect(last("main")).toMatchObject({ reason: StatusReason.REASON_TASK_GROUP_ENDED });
  expect(told("main", "tidy").filter((text) => text.endsWith("RUNNING"))).toEqual([]);
});

test("with a restart policy what stands before the start may fail at first", async () => {
  await fixture.agent();
  const mode = RestartMode.RESTART_MODE_FAIL;
  const restartPolicy = { attempts: 2, intervalMs: 60_000, delayMs: 50, mode, afterSuccess: false };
  launch(
    member("main", "true"),
    member("init", "[ $(grep -c init $NOMAD_ALLOC_DIR/order) -ge 2 ]", { hook: prestart, restartPolicy }),
  );
  await until("main", TASK_FINISHED);
  expect(last("init")).toMatchObject({ state: TASK_FINISHED, restartCount: 1 });
});

test("when a leader has ended, also well, the others of its group are ended; on a kill it goes first", async () => {
  await fixture.agent();
  launch(member("lead", "sleep 0.2", { leader: true }), member("beside", "exec sleep 300"));
  await until("beside", TASK_KILLED);
  await until("lead", TASK_FINISHED);
  expect(last("lead").state).toBe(TASK_FINISHED);
  expect(last("beside")).toMatchObject({ reason: StatusReason.REASON_TASK_GROUP_ENDED });
  const slow = 'trap "sleep 0.3; exit 0" TERM; sleep 300 & wait';
  launch(member("lead2", slow, { leader: true }), member("beside2", "exec sleep 300"));
  for (const taskId of ["lead2", "beside2"]) await until(taskId, TASK_RUNNING);
  fixture.master.kill("beside2");
  await until("beside2", TASK_KILLED);
  const order = told("lead2", "beside2");
  expect(order.indexOf("beside2 KILLING")).toBeGreaterThan(order.indexOf("lead2 KILLED"));
});

test("whose shutdown is delayed is told to be ending at once, and gets its signal after the delay", async () => {
  await fixture.agent();
  const script = 'trap "date +%s%3N > ended; exit 0" TERM; sleep 300 & wait';
  launch(member("web", script, { shutdownDelayMs: 700, killPolicy: { signal: "SIGTERM" } }));
  await until("web", TASK_RUNNING);
  fixture.master.kill("web");
  await until("web", TASK_KILLED);
  const killing = fixture.master.of("web").find(({ state }) => state === TASK_KILLING);
  expect(last("web").at - (killing?.at ?? 0)).toBeGreaterThanOrEqual(690);
  expect(last("web").exitCode).toBe(0);
});

test("a grace that somebody names holds for delay and signal together", async () => {
  await fixture.agent();
  launch(member("web", "exec sleep 300", { shutdownDelayMs: 60_000 }));
  await until("web", TASK_RUNNING);
  fixture.master.kill("web", 0);
  await until("web", TASK_KILLED);
  expect(last("web").signal).toBe("SIGKILL");
});

test("an agent that is restarted goes on with the delay of a shutdown, and with whose turn it is", async () => {
  const first = await fixture.agent();
  launch(
    member("web", "exec sleep 300", { shutdownDelayMs: 1_500 }),
    member("tidy", "true", { hook: poststop }),
    member("init", "true", { hook: prestart }),
  );
  await until("web", TASK_RUNNING);
  fixture.master.kill("web");
  await until("web", TASK_KILLING);
  const begun = last("web").at;
  await fixture.stop(first, "leave");
  await fixture.agent();
  await until("tidy", TASK_FINISHED);
  expect(last("web").at - begun).toBeGreaterThanOrEqual(1_490);
  expect(last("web").at - begun).toBeLessThan(3_500);
  const killing = fixture.master.of("web").filter(({ state }) => state === TASK_KILLING);
  expect(new Set(killing.map(({ updateId }) => updateId))).toHaveLength(1);
});
