import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { emptyMessage, resources } from "@muster/foundation";
import { type AgentOperation, type Reservation, StatusReason, TaskState, type Volume } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentFixture } from "./agent-fixture.test.support.ts";

const { TASK_DROPPED, TASK_ERROR, TASK_FAILED, TASK_FINISHED } = TaskState;
const fixture = AgentFixture.use(beforeEach, afterEach);
/** The machine may be busy. */
const patience = { timeout: 20_000 };

const reservation: Reservation = {
  ...emptyMessage("Reservation"),
  reservationId: "r-1",
  role: "web",
  resources: resources({ diskMiB: 100 }),
};
const volume = (volumeId: string, diskMiB = 50): Volume => ({
  ...emptyMessage("Volume"),
  volumeId,
  reservationId: "r-1",
  diskMiB,
});

/** Asks the agent for a change, and gives how it ended: the kind of a refusal, or "done". */
async function ask(operation: Partial<AgentOperation>): Promise<string> {
  const operationId = `op-${++asked}`;
  fixture.master.say({ operations: [{ operationId, ...operation } as AgentOperation] });
  const find = () =>
    fixture.master.requests.flatMap((one) => one.operationResults).find((one) => one.operationId === operationId);
  await expect.poll(find, patience).toBeDefined();
  return find()?.refusal?.kind ?? "done";
}
let asked = 0;

function told() {
  const registrations = fixture.master.requests.flatMap(({ registration }) => registration ?? []);
  return registrations.at(-1);
}

const script = (text: string) => ({ command: "sh", arguments: ["-c", text] });
const uses = [{ volumeId: "v", name: "data" }];

test("what a task writes into a volume outlives it and the agent; a destroyed volume is gone with its data", async () => {
  const agent = await fixture.agent();
  expect(await ask({ reserve: reservation })).toBe("done");
  expect(await ask({ createVolume: volume("v") })).toBe("done");
  fixture.master.launch({ taskId: "writes", spec: script('echo kept > "$MUSTER_VOLUME_data/file"'), volumes: uses });
  await fixture.master.untilState("writes", TASK_FINISHED);
  await fixture.stop(agent, "kill");
  await fixture.agent();
  expect(told()).toMatchObject({ reservations: [{ reservationId: "r-1", role: "web" }], volumes: [{ volumeId: "v" }] });
  const reads = { ...script("cat where/ever/file"), volumeMounts: [mount("/where/ever")] };
  fixture.master.launch({ taskId: "reads", spec: reads, volumes: uses });
  await fixture.master.untilState("reads", TASK_FINISHED);
  expect(fixture.outputOf("reads")).toBe("kept\n");
  expect(await ask({ destroyVolume: "v" })).toBe("done");
  expect(existsSync(`${fixture.dataFolder}/volumes/v`)).toBe(false);
  expect(await ask({ createVolume: volume("v") })).toBe("done");
  expect(existsSync(`${fixture.dataFolder}/volumes/v/file`)).toBe(false);
});

const mount = (destination: string) => ({ volume: "data", destination, readOnly: false });

test("case 70: a volume that a task uses can't be destroyed", async () => {
  await fixture.agent();
  await ask({ reserve: reservation });
  await ask({ createVolume: volume("v") });
  fixture.master.launch({ taskId: "holds", spec: script("sleep 1000"), volumes: uses });
  await fixture.master.untilState("holds", TaskState.TASK_RUNNING);
  expect(await ask({ destroyVolume: "v" })).toBe("wrong-state");
  expect(await ask({ resizeVolume: volume("v", 80) })).toBe("wrong-state");
  expect(await ask({ unreserve: "r-1" })).toBe("wrong-state");
  fixture.master.kill("holds", 0);
  await fixture.master.untilState("holds", TaskState.TASK_KILLED);
  expect(await ask({ resizeVolume: volume("v", 80) })).toBe("done");
  expect(await ask({ destroyVolume: "v" })).toBe("done");
  expect(await ask({ unreserve: "r-1" })).toBe("done");
});

test("a launch that comes with the making of its volume waits for it, and is dropped if it can't be made", async () => {
  await fixture.agent();
  await ask({ reserve: reservation });
  fixture.master.say({ operations: [{ operationId: "make", createVolume: volume("v"), kind: "createVolume" }] });
  fixture.master.launch({ taskId: "first", spec: script('test -d "$NOMAD_VOLUME_data"'), volumes: uses });
  await fixture.master.untilState("first", TASK_FINISHED);
  writeFileSync(`${fixture.dataFolder}/volumes/w`, "a file is in the way");
  fixture.master.say({ operations: [{ operationId: "fails", createVolume: volume("w"), kind: "createVolume" }] });
  fixture.master.launch({ taskId: "second", volumes: [{ volumeId: "w", name: "data" }], spec: script("true") });
  await fixture.master.untilState("second", TASK_DROPPED);
  expect(fixture.master.of("second").at(-1)?.reason).toBe(StatusReason.REASON_VOLUME_UNAVAILABLE);
});

test("who fills a volume beyond its size is ended, and the data stay", async () => {
  await fixture.agent({ diskWatchMs: 50 });
  await ask({ reserve: reservation });
  await ask({ createVolume: volume("v", 4) });
  const fills = script('head -c 8M /dev/zero > "$MUSTER_VOLUME_data/big"; sleep 1000');
  fixture.master.launch({ taskId: "fills", spec: fills, volumes: uses });
  await fixture.master.untilState("fills", TASK_FAILED);
  const end = fixture.master.of("fills").at(-1);
  expect(end?.reason).toBe(StatusReason.REASON_DISK_LIMIT);
  expect(end?.message).toMatch(/^DISK_LIMIT: volume v has \d+ MiB of files, its size is 4 MiB; the largest is big$/);
  // It may have been ended in the middle of its writing.
  expect(readFileSync(`${fixture.dataFolder}/volumes/v/big`).length).toBeGreaterThan(4 * 1024 * 1024);
});

test("what the settings reserve is told from the beginning, and goes with them unless something is in it", async () => {
  const settings = { reservations: [{ role: "eng", resources: resources({ diskMiB: 100 }) }] };
  const agent = await fixture.agent(settings);
  const id = `static-${agent.agentId()}-eng`;
  expect(told()?.reservations).toMatchObject([{ reservationId: id, role: "eng", isStatic: true }]);
  expect(await ask({ unreserve: id })).toBe("wrong-state");
  expect(await ask({ createVolume: { ...volume("v"), reservationId: id } })).toBe("done");
  await fixture.stop(agent, "kill");
  const without = await fixture.agent();
  expect(told()?.reservations).toMatchObject([{ reservationId: id }]);
  expect(await ask({ destroyVolume: "v" })).toBe("done");
  await fixture.stop(without, "kill");
  await fixture.agent();
  expect(told()?.reservations).toEqual([]);
});

test("mounts without sense are an error of the task", async () => {
  await fixture.agent();
  const wrong = { ...script("true"), volumeMounts: [mount("/../etc")] };
  fixture.master.launch({ taskId: "dots", spec: wrong, volumes: uses });
  const unknown = { ...script("true"), volumeMounts: [mount("/data")] };
  fixture.master.launch({ taskId: "unknown", spec: unknown });
  for (const taskId of ["dots", "unknown"]) await fixture.master.untilState(taskId, TASK_ERROR);
  fixture.master.launch({ taskId: "absent", spec: script("true"), volumes: uses });
  await fixture.master.untilState("absent", TASK_DROPPED);
});
