import { type AddressInfo, createServer } from "node:net";
import { type MusterError, silentLog, systemClock } from "@muster/foundation";
import { StatusReason, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hostWorld } from "../host-world.ts";
import { AgentFixture } from "./agent-fixture.test.support.ts";

const fixture = AgentFixture.use(beforeEach, afterEach);

test("while the master is away tasks go on; when it is back it is told where they are, then what it missed", async () => {
  await fixture.agent();
  fixture.master.launch(
    { taskId: "brief", spec: { command: "sh", arguments: ["-c", "sleep 0.3; exit 2"] } },
    { taskId: "long", spec: { command: "sleep", arguments: ["300"] } },
  );
  for (const name of ["brief", "long"]) await fixture.master.untilState(name, TaskState.TASK_RUNNING);
  const { address, registrations } = fixture.master;
  await new Promise((resolve) => setTimeout(resolve, 100));
  await fixture.master.stop();
  await new Promise((resolve) => setTimeout(resolve, 500));
  fixture.master.epoch++;
  fixture.master.reports.length = 0;
  await fixture.master.start(address);
  await fixture.master.until(() => fixture.master.registrations > registrations, "registration");
  const told = fixture.master.reports.map(({ task, status, acknowledged }) => [
    task?.taskId,
    status?.state,
    acknowledged,
  ]);
  expect(told.sort()).toEqual([
    ["brief", TaskState.TASK_FAILED, false],
    ["long", TaskState.TASK_RUNNING, true],
  ]);
  await fixture.master.untilState("brief", TaskState.TASK_FAILED);
  expect(fixture.master.of("brief").at(-1)?.exitCode).toBe(2);
});

test("a silent session is answered ping by ping", async () => {
  await fixture.agent();
  fixture.master.say({ ping: { pingNumber: 41 } });
  await fixture.master.until(() => fixture.master.requests.some(({ pong }) => pong?.pingNumber === 41), "pong");
});

test("the tasks of a framework that was removed are ended, those of a drained agent as well", async () => {
  await fixture.agent();
  const spec = { command: "sleep", arguments: ["300"] };
  fixture.master.launch({ taskId: "a", spec });
  await fixture.master.untilState("a", TaskState.TASK_RUNNING);
  fixture.master.say({ frameworksRemoved: ["framework-1"] });
  await fixture.master.untilState("a", TaskState.TASK_KILLED);
  expect(fixture.master.of("a").at(-1)?.reason).toBe(StatusReason.REASON_FRAMEWORK_REMOVED);
  fixture.master.launch({ taskId: "b", spec });
  await fixture.master.untilState("b", TaskState.TASK_RUNNING);
  fixture.master.say({ drain: { graceMsMax: 100 } });
  await fixture.master.untilState("b", TaskState.TASK_KILLED);
  fixture.master.launch({ taskId: "c", spec });
  await fixture.master.untilState("c", TaskState.TASK_DROPPED);
  expect(fixture.master.of("c").at(-1)?.reason).toBe(StatusReason.REASON_AGENT_DRAINING);
});

test("an agent that the master dismisses ends its tasks, says why, and does not come back", async () => {
  let failed: (error: MusterError) => void = () => {};
  const failure = new Promise<MusterError>((resolve) => {
    failed = resolve;
  });
  await fixture.agent({}, { failed });
  fixture.master.launch({ taskId: "a", spec: { command: "sleep", arguments: ["300"] } });
  await fixture.master.untilState("a", TaskState.TASK_RUNNING);
  const pid = fixture.master.of("a").at(-1)?.container?.pid ?? 0;
  expect(() => process.kill(pid, 0)).not.toThrow();
  const { registrations } = fixture.master;
  fixture.master.say({ shutDown: { reason: "it is gone" } });
  expect(await failure).toMatchObject({ kind: "wrong-state", message: "it is gone" });
  expect(() => process.kill(pid, 0)).toThrow();
  expect(fixture.master.registrations).toBe(registrations);
});

test("a description that is no TaskSpec, or names a driver that is not there, is answered with a reason", async () => {
  await fixture.agent();
  fixture.master.launch(
    { taskId: "empty", spec: { command: "" } },
    { taskId: "docker", spec: { command: "x", driver: "docker" } },
    { taskId: "signal", spec: { command: "x", killPolicy: { signal: "TERM" } } },
  );
  await fixture.master.untilState("empty", TaskState.TASK_ERROR);
  await fixture.master.untilState("docker", TaskState.TASK_ERROR);
  await fixture.master.untilState("signal", TaskState.TASK_ERROR);
  const reason = (taskId: string) => fixture.master.of(taskId).at(-1)?.reason;
  expect([reason("empty"), reason("docker"), reason("signal")]).toEqual([
    StatusReason.REASON_TASK_INVALID,
    StatusReason.REASON_UNSUPPORTED,
    StatusReason.REASON_TASK_INVALID,
  ]);
});

test("ports of strangers are told to each master, with all attributes: an update without them would take them away", async () => {
  const world = hostWorld({ dataFolder: fixture.dataFolder, clock: systemClock, log: silentLog });
  const hostPorts = { ...world.hostPorts, scan: (done: (ports: number[]) => void) => void setImmediate(done, [4711]) };
  await fixture.agent({}, { ...world, hostPorts });
  const { master } = fixture;
  const updates = () => master.requests.flatMap(({ update }) => (update ? [update] : []));
  const { attributes = [] } = master.requests[0]?.registration ?? {};
  expect(attributes).not.toEqual([]);
  await master.until(() => updates().length === 1, "an update");
  const { address } = master;
  await master.stop();
  await master.start(address);
  await master.until(() => updates().length === 2, "an update for the next master");
  for (const update of updates()) {
    expect(update.foreignPorts).toEqual([4711]);
    expect(update.attributes.map(({ name, value }) => [name, value])).toEqual(
      attributes.map(({ name, value }) => [name, value]),
    );
  }
});

test("a port of a stranger that a launch has met is told at once, so that it leaves the next offer", async () => {
  await fixture.agent();
  const { master } = fixture;
  const told = () => master.requests.flatMap(({ update }) => (update ? [update.foreignPorts] : []));
  await master.until(() => told().length === 1, "what is there at the beginning");
  const server = createServer();
  const port = await new Promise<number>((resolve) =>
    server.listen(0, () => resolve((server.address() as AddressInfo).port)),
  );
  try {
    master.launch({ taskId: "a", ports: [{ label: "http", number: port }], spec: { command: "sleep" } });
    await master.untilState("a", TaskState.TASK_DROPPED);
    expect(master.of("a").at(-1)?.reason).toBe(StatusReason.REASON_PORT_IN_USE);
    await master.until(() => told().at(-1)?.includes(port) === true, "the port");
  } finally {
    server.close();
  }
});
