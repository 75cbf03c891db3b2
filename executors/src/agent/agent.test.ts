import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { silentLog, systemClock } from "@muster/foundation";
import { Health, StatusReason, TaskState, type TaskStatus } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hostWorld } from "../host-world.ts";
import type { Disk } from "../world/disk.ts";
import { AgentFixture } from "./agent-fixture.test.support.ts";

const fixture = AgentFixture.use(beforeEach, afterEach);

function states(taskId: string): TaskState[] {
  return fixture.master.of(taskId).map(({ state }) => state);
}

function last(taskId: string): TaskStatus {
  return fixture.master.of(taskId).at(-1) as TaskStatus;
}

function shell(script: string) {
  return { command: "sh", arguments: ["-c", script] };
}

/** A stranger on a port outside of the range from which the kernel takes ports for outgoing connections. */
async function listen(): Promise<{ server: Server; port: number }> {
  for (let port = 21_000 + (process.pid % 9_000); ; port += 10) {
    const server = createServer();
    const isListening = await new Promise((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, () => resolve(true));
    });
    if (isListening) return { server, port };
  }
}

function isAlive(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.[0] !== "Z";
  } catch {
    return false;
  }
}

test("a command is told as STARTING, RUNNING and FINISHED, in order", async () => {
  await fixture.agent();
  fixture.master.launch({ taskId: "hello", spec: { command: "true" } });
  await fixture.master.untilState("hello", TaskState.TASK_FINISHED);
  expect(fixture.master.of("hello").map(({ state, sequence }) => [state, sequence])).toEqual([
    [TaskState.TASK_STARTING, 1],
    [TaskState.TASK_RUNNING, 2],
    [TaskState.TASK_FINISHED, 3],
  ]);
  expect(last("hello").exitCode).toBe(0);
});

test("an exit code, a signal and a command that is not there are told apart", async () => {
  await fixture.agent();
  fixture.master.launch(
    { taskId: "code", spec: shell("exit 3") },
    { taskId: "signal", spec: shell("kill -9 $$") },
    { taskId: "missing", spec: { command: "/no/such/program" } },
  );
  for (const taskId of ["code", "signal", "missing"]) await fixture.master.untilState(taskId, TaskState.TASK_FAILED);
  expect(last("code")).toMatchObject({ exitCode: 3, signal: "", reason: StatusReason.REASON_COMMAND_EXITED });
  expect(last("signal")).toMatchObject({ exitCode: undefined, signal: "SIGKILL" });
  expect(last("missing").reason).toBe(StatusReason.REASON_LAUNCH_FAILED);
  expect(last("missing").message).toContain("No such file");
  expect(states("missing")).not.toContain(TaskState.TASK_RUNNING);
});

test("case 2: a task on the host's network finds its port in the environment and is reached there", async () => {
  await fixture.agent();
  const script =
    'require("net").createServer((s) => s.on("error", () => {}).end(process.env.NOMAD_ADDR_http)).listen(process.env.MUSTER_PORT_http)';
  fixture.master.launch({
    taskId: "web",
    spec: { command: process.execPath, arguments: ["-e", script], healthChecks: [tcpCheck("http")] },
    ports: [{ label: "http" }],
  });
  await fixture.master.until(() => last("web")?.health === Health.HEALTH_HEALTHY, "health");
  const port = last("web").container?.ports[0]?.number ?? 0;
  expect(port).toBeGreaterThanOrEqual(20_000);
  expect(await readAll(port)).toBe(`127.0.0.1:${port}`);
});

function tcpCheck(portLabel: string) {
  return { name: "", tcp: { portLabel }, intervalMs: 0, timeoutMs: 0, failuresMax: 0, action: 0 as const };
}

async function readAll(port: number): Promise<string> {
  const { createConnection } = await import("node:net");
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = createConnection({ port, host: "127.0.0.1" });
    socket.on("data", (bytes) => {
      text += bytes;
    });
    socket.on("end", () => resolve(text));
    socket.on("error", reject);
  });
}

test("case 14: a port that a stranger holds is refused with the holder's name, a dynamic one is replaced", async () => {
  const { server, port } = await listen();
  await fixture.agent({ dynamicPortFirst: port, dynamicPortLast: port + 1 });
  fixture.master.launch({ taskId: "fixed", spec: { command: "true" }, ports: [{ label: "http", number: port }] });
  await fixture.master.untilState("fixed", TaskState.TASK_DROPPED);
  expect(last("fixed").reason).toBe(StatusReason.REASON_PORT_IN_USE);
  expect(last("fixed").message).toContain(`PORT_IN_USE: port ${port} is held by pid ${process.pid}`);
  fixture.master.launch({ taskId: "dynamic", spec: { command: "true" }, ports: [{ label: "http" }] });
  await fixture.master.untilState("dynamic", TaskState.TASK_FINISHED);
  expect(last("dynamic").container?.ports[0]?.number).toBe(port + 1);
  server.close();
});

test("case 52: the port of a task that stops slowly is not given to another", async () => {
  await fixture.agent({ dynamicPortFirst: 28_431, dynamicPortLast: 28_431 });
  const slow = {
    ...shell("trap '' TERM; echo deaf; sleep 60 & wait; wait"),
    killPolicy: { signal: "", graceMs: 2_000 },
  };
  fixture.master.launch({ taskId: "slow", spec: slow, ports: [{ label: "a" }] });
  await fixture.master.untilState("slow", TaskState.TASK_RUNNING);
  // Its shell runs; that it does not hear the signal comes after.
  await expect.poll(() => fixture.outputOf("slow"), { timeout: 15_000 }).toBe("deaf\n");
  fixture.master.kill("slow");
  await fixture.master.untilState("slow", TaskState.TASK_KILLING);
  fixture.master.launch({ taskId: "next", spec: { command: "true" }, ports: [{ label: "a" }] });
  await fixture.master.untilState("next", TaskState.TASK_DROPPED);
  await fixture.master.untilState("slow", TaskState.TASK_KILLED);
  fixture.master.launch({ taskId: "third", spec: { command: "true" }, ports: [{ label: "a" }] });
  await fixture.master.untilState("third", TaskState.TASK_FINISHED);
});

test("case 63: a task that ignores TERM and has double-forked is gone with all it brought forth", async () => {
  await fixture.agent();
  const script =
    "trap '' TERM; (setsid sleep 300 & echo $! > child; setsid sh -c 'sleep 301' &) ; while :; do sleep 1; done";
  fixture.master.launch({ taskId: "stubborn", spec: { ...shell(script), killPolicy: { signal: "", graceMs: 300 } } });
  await fixture.master.untilState("stubborn", TaskState.TASK_RUNNING);
  const main = last("stubborn").container?.pid ?? 0;
  const work = readFileSync(`/proc/${main}/environ`, "latin1").match(/HOME=([^\0]+)/)?.[1];
  await new Promise((resolve) => setTimeout(resolve, 200));
  const child = Number(readFileSync(`${work}/child`, "latin1"));
  expect(isAlive(child)).toBe(true);
  fixture.master.kill("stubborn");
  await fixture.master.untilState("stubborn", TaskState.TASK_KILLED);
  expect(last("stubborn")).toMatchObject({ signal: "SIGKILL", reason: StatusReason.REASON_KILLED_BY_FRAMEWORK });
  expect([main, child].filter(isAlive)).toEqual([]);
});

test("a launch that is sent twice starts one process, and a living task's id can't be launched anew", async () => {
  await fixture.agent();
  const wish = { taskId: "once", spec: shell("echo x >> runs; sleep 60") };
  fixture.master.launch(wish, wish);
  await fixture.master.untilState("once", TaskState.TASK_RUNNING);
  fixture.master.launch(wish);
  fixture.master.launch({ ...wish, launchId: "another" });
  await fixture.master.until(
    () => fixture.master.of("once").some(({ launchId }) => launchId === "another"),
    "answer to the second launch",
  );
  expect(last("once")).toMatchObject({ state: TaskState.TASK_ERROR, reason: StatusReason.REASON_DUPLICATE_TASK });
  const own = fixture.master.of("once").filter(({ launchId }) => launchId === "launch-once");
  expect(own.map(({ state }) => state)).toEqual([TaskState.TASK_STARTING, TaskState.TASK_RUNNING]);
});

test("a kill that overtakes its launch keeps the task from starting", async () => {
  await fixture.agent();
  fixture.master.kill("late");
  fixture.master.launch({ taskId: "late", spec: { command: "true" } });
  await fixture.master.untilState("late", TaskState.TASK_KILLED);
  expect(states("late")).toEqual([TaskState.TASK_KILLED]);
  expect(last("late").reason).toBe(StatusReason.REASON_KILLED_DURING_LAUNCH);
});

test("references to the agent and the task are filled in, unknown ones are left", async () => {
  await fixture.agent();
  const ref = (name: string): string => `\${${name}}`;
  const references = ["attr.kernel.name", "node.class", "NOMAD_META_key", 'env["MUSTER_TASK_NAME"]', "attr.no"];
  const spec = {
    ...shell(`test "$A" = 'linux small meta-value t ${ref("attr.no")}'`),
    environment: { A: references.map(ref).join(" ") },
    meta: { key: "meta-value" },
  };
  fixture.master.launch({ taskId: "t", spec });
  await fixture.master.untilState("t", TaskState.TASK_FINISHED);
});

test("a status is sent again until it is acknowledged, and the next one only then", async () => {
  await fixture.agent();
  fixture.master.acknowledges = false;
  fixture.master.launch({ taskId: "held", spec: { command: "true" } });
  await fixture.master.until(() => fixture.master.of("held").length === 2, "resent status");
  expect(states("held")).toEqual([TaskState.TASK_STARTING, TaskState.TASK_STARTING]);
  fixture.master.acknowledges = true;
  fixture.master.acknowledge(last("held"));
  await fixture.master.untilState("held", TaskState.TASK_FINISHED);
});

test("an agent that shuts down ends its tasks and says that it leaves", async () => {
  const agent = await fixture.agent();
  fixture.master.launch({ taskId: "long", spec: { command: "sleep", arguments: ["300"] } });
  await fixture.master.untilState("long", TaskState.TASK_RUNNING);
  await fixture.stop(agent, "kill");
  // Not some time later: its process ends when it has stopped.
  expect(fixture.master.requests.some(({ leaving }) => leaving)).toBe(true);
  expect(last("long")).toMatchObject({ state: TaskState.TASK_KILLED, reason: StatusReason.REASON_AGENT_SHUTDOWN });
});

test("a check that fails makes its task unhealthy and, if it says so, ends it", async () => {
  await fixture.agent();
  const check = { ...tcpCheck("http"), intervalMs: 50, graceMs: 0, failuresMax: 2, action: 2 as const };
  fixture.master.launch({
    taskId: "sick",
    spec: { ...shell("sleep 300"), healthChecks: [check], killPolicy: { signal: "", graceMs: 100 } },
    ports: [{ label: "http" }],
  });
  await fixture.master.untilState("sick", TaskState.TASK_KILLED);
  expect(fixture.master.of("sick").some(({ health }) => health === Health.HEALTH_UNHEALTHY)).toBe(true);
  expect(last("sick").reason).toBe(StatusReason.REASON_UNHEALTHY);
});

test("checks that can never be made are refused at the launch, with the place of what is wrong", async () => {
  await fixture.agent();
  const common = { name: "", intervalMs: 0, timeoutMs: 0, failuresMax: 0, action: 0 as const };
  const script = { command: "", arguments: [] };
  const grpc = { portLabel: "rpc", service: "", tls: false, tlsSkipVerify: false, tlsServerName: "" };
  fixture.master.launch(
    { taskId: "empty", spec: { command: "true", healthChecks: [{ ...common, script }] } },
    { taskId: "portless", spec: { command: "true", healthChecks: [{ ...common, grpc }] } },
    { taskId: "vague", spec: { command: "true", healthChecks: [common] } },
  );
  for (const taskId of ["empty", "portless", "vague"]) await fixture.master.untilState(taskId, TaskState.TASK_ERROR);
  expect(["empty", "portless", "vague"].map((taskId) => last(taskId).message)).toEqual([
    "health_checks[0].script.command: must not be empty",
    'health_checks[0]: its group has no port "rpc"',
    "health_checks[0]: has no probe",
  ]);
});

test("a script check runs in the task's folder, with its environment and references filled in", async () => {
  await fixture.agent();
  // The task itself makes what its check looks for.
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference that the agent resolves
  const words = ["-c", 'test "$(cat mine)" = "$MUSTER_PORT_http" && test "$1" = one', "-", "${NOMAD_TASK_NAME}"];
  const script = { command: "sh", arguments: words };
  const check = { name: "", script, intervalMs: 0, timeoutMs: 0, failuresMax: 0, action: 0 as const };
  const spec = { ...shell("echo $MUSTER_PORT_http > mine; sleep 300"), healthChecks: [check] };
  fixture.master.launch({ taskId: "one", spec, ports: [{ label: "http" }] });
  await fixture.master.until(() => last("one")?.health === Health.HEALTH_HEALTHY, "health");
});

test("a task ends at its maximum run time", async () => {
  await fixture.agent();
  fixture.master.launch({ taskId: "timed", spec: { ...shell("sleep 300"), runTimeMsMax: 300 } });
  await fixture.master.untilState("timed", TaskState.TASK_FAILED);
  expect(last("timed").reason).toBe(StatusReason.REASON_MAX_RUN_TIME);
});

test.runIf(process.getuid?.() === 0)(
  "a task with a user runs under that account, and a user that is not there fails",
  async () => {
    await fixture.agent();
    const script = 'test "$(id -un):$(id -Gn)" = nobody:nogroup && touch mine';
    fixture.master.launch(
      { taskId: "other", spec: { ...shell(script), user: "nobody" } },
      { taskId: "nobody-there", spec: { ...shell("true"), user: "no-such-user" } },
    );
    await fixture.master.untilState("other", TaskState.TASK_FINISHED);
    await fixture.master.untilState("nobody-there", TaskState.TASK_FAILED);
    expect(last("nobody-there").message).toContain("no-such-user");
  },
);

test("a full disk: the end of a task is recorded with the space that was kept for it", async () => {
  const world = hostWorld({ dataFolder: fixture.dataFolder, clock: systemClock, log: silentLog });
  let isFull = false;
  const disk: Disk = {
    ...world.disk,
    commit: (writes, done) => {
      if (isFull) setImmediate(() => done({ kind: "full", message: "no space left on device" }));
      else world.disk.commit(writes, done);
    },
    releaseBallast: () => {
      isFull = false;
      return world.disk.releaseBallast();
    },
  };
  const agent = await fixture.agent({}, { ...world, disk });
  fixture.master.launch({ taskId: "brief", spec: shell("sleep 0.3; exit 3") });
  await fixture.master.untilState("brief", TaskState.TASK_RUNNING);
  await new Promise((resolve) => setTimeout(resolve, 100));
  isFull = true;
  fixture.master.acknowledges = false;
  await fixture.master.untilState("brief", TaskState.TASK_FAILED);
  await fixture.stop(agent, "leave");
  fixture.master.statuses.length = 0;
  fixture.master.acknowledges = true;
  await fixture.agent();
  await fixture.master.untilState("brief", TaskState.TASK_FAILED);
  expect(last("brief").exitCode).toBe(3);
});
