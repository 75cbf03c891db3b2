import { writeFileSync } from "node:fs";
import { isTerminal } from "@muster/foundation";
import { StatusReason, type TaskSpec, TaskState, type TaskStatus } from "@muster/proto";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import type { Agent } from "../../executors/src/agent/agent.ts";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { findIoDevice } from "../../executors/src/cgroups/io-device.ts";
import { ioLimitsAttribute } from "../../executors/src/drivers/io-refusal.ts";
import { settings as bridge, get, portOf } from "./bridge.support.ts";
import { diskLimitsOf, kernelObjects } from "./containers.ts";
import { engineTools, OwnDockerd } from "./engine.support.ts";
import { baseLayer } from "./images.support.ts";
import { lacking, testUnless } from "./machine.ts";

const lack = lacking(...engineTools, "ip", "nft");
const { TASK_RUNNING, TASK_FINISHED, TASK_FAILED, TASK_KILLED } = TaskState;
let engine: OwnDockerd;
let dataFolder = "";
/** Nothing of an agent is left: no container, no process, no network. */
const remains = async (): Promise<string[]> => [
  ...kernelObjects(dataFolder),
  ...(lack === "" ? await engine.containersOf(dataFolder) : []),
];
afterEach(() => expect.poll(remains, { timeout: 5_000 }).toEqual([]));
const fixture = AgentFixture.use(beforeEach, afterEach);
beforeEach(() => {
  dataFolder = fixture.dataFolder;
});

beforeAll(async () => {
  if (lack !== "") return;
  engine = new OwnDockerd();
  await engine.start();
  await engine.importImage(baseLayer(), "base:1", ['ENTRYPOINT ["/bin/sh","-c"]', "ENV PATH=/bin GREETING=hello"]);
}, 40_000);
afterAll(() => engine?.remove());

function testDocker(title: string, act: () => Promise<void>, timeoutMs = 20_000): void {
  testUnless(lack, title, act, timeoutMs);
}

function agent(networkModes = ["host", "none", "bridge"], drivers = ["docker"]): Promise<Agent> {
  return fixture.agentWithNets(networkModes, fixture.configWith({ drivers, networkModes }), bridge, {
    engineSocket: engine.socket,
  });
}

/** A task from the image of these tests, which a shell of its own reads. */
function script(text: string, more: Partial<TaskSpec> = {}, config: object = {}): Partial<TaskSpec> {
  return { driver: "docker", command: text, driverConfigJson: JSON.stringify({ image: "base:1", ...config }), ...more };
}

const last = (taskId: string): TaskStatus => fixture.master.of(taskId).at(-1) as TaskStatus;

async function endOf(taskId: string, spec: Partial<TaskSpec>, more: object = {}): Promise<TaskStatus> {
  fixture.master.launch({ taskId, spec, ...more });
  await fixture.master.until(
    () => isTerminal(last(taskId)?.state ?? TaskState.TASK_STAGING),
    `end of ${taskId}`,
    20_000,
  );
  return last(taskId);
}

async function outputOf(taskId: string, spec: Partial<TaskSpec>, more: object = {}): Promise<string> {
  expect(await endOf(taskId, spec, more)).toMatchObject({ state: TASK_FINISHED, message: "" });
  return fixture.outputOf(taskId);
}

testDocker("an Engine runs an image with its own entrypoint and environment, or with the job's", async () => {
  await agent();
  expect(await outputOf("own", script("echo $GREETING; echo to errors >&2"))).toBe("hello\n");
  const perl = script('print "of the job"', { arguments: [] }, { entrypoint: ["perl", "-e"] });
  expect(await outputOf("job", perl)).toBe("of the job");
  const folders = "echo x > /local/a; cat /local/a; echo $NOMAD_TASK_DIR $NOMAD_ALLOC_DIR; cd /alloc; echo $PWD";
  expect(await outputOf("folders", script(folders))).toBe("x\n/local /alloc\n/alloc\n");
});

testDocker("a task is who its job says, by name or number, owns its folders, and may little", async () => {
  await agent();
  const who =
    "id -u; id -g; ls -nd /local | cut -d' ' -f3,4; grep CapBnd /proc/self/status; grep NoNewPrivs /proc/self/status";
  const lines = (text: string): string[] =>
    text
      .trim()
      .split("\n")
      .map((line) => line.replace(/\s+/g, " "));
  const none = ["CapBnd: 0000000000000000", "NoNewPrivs: 1"];
  expect(lines(await outputOf("named", script(who, { user: "web" })))).toEqual(["1234", "1235", "1234 1235", ...none]);
  expect(lines(await outputOf("number", script(who, { user: "77:78" })))).toEqual(["77", "78", "77 78", ...none]);
  const root = lines(await outputOf("root", script(who, {}, { cap_drop: ["all"], cap_add: ["chown"] })));
  expect(root).toEqual(["0", "0", "0 0", "CapBnd: 0000000000000001", "NoNewPrivs: 1"]);
  const stranger = await endOf("stranger", script(who, { user: "stranger" }));
  expect(stranger).toMatchObject({ state: TASK_FAILED, reason: StatusReason.REASON_LAUNCH_FAILED });
  expect(stranger.message).toMatch(/user stranger is not known in its image/);
});

testDocker(
  "exit codes, signals, ends for want of memory and commands that can't be executed are told apart",
  async () => {
    await agent();
    expect(await endOf("code", script("sleep 0.1; exit 137"))).toMatchObject({ exitCode: 137, signal: "" });
    expect(await endOf("fast", script("exit 7"))).toMatchObject({ exitCode: 7, signal: "" });
    expect(await endOf("signal", script("sleep 0.1; kill -9 $$"))).toMatchObject({
      exitCode: undefined,
      signal: "SIGKILL",
    });
    const eat = script("sleep 0.1; exec perl -e '$x = \"x\" x (200 << 20); sleep 3'");
    expect(await endOf("eats", eat, { resources: { memoryMiB: 32 } })).toMatchObject({
      state: TASK_FAILED,
      reason: StatusReason.REASON_OUT_OF_MEMORY,
    });
    const missing = await endOf("missing", script("", { command: "none" }, { entrypoint: [] }));
    expect(missing).toMatchObject({ state: TASK_FAILED, reason: StatusReason.REASON_LAUNCH_FAILED });
    expect(missing.message).toMatch(/^none can't be started: .*No such file or directory/);
  },
);

testDocker(
  "a task that ignores nothing ends by the signal of its kill policy, one that ignores it after its grace",
  async () => {
    await agent();
    const killPolicy = { signal: "SIGTERM", graceMs: 300 };
    fixture.master.launch({
      taskId: "gentle",
      spec: script("exec sleep 1000", { killPolicy: { ...killPolicy, graceMs: 20_000 } }),
    });
    fixture.master.launch({
      taskId: "stubborn",
      spec: script("trap '' TERM; echo traps; while true; do sleep 1; done", { killPolicy }),
    });
    for (const taskId of ["gentle", "stubborn"]) await fixture.master.untilState(taskId, TASK_RUNNING);
    await expect.poll(() => fixture.outputOf("stubborn")).toBe("traps\n");
    for (const taskId of ["gentle", "stubborn"]) fixture.master.kill(taskId);
    for (const taskId of ["gentle", "stubborn"]) await fixture.master.untilState(taskId, TASK_KILLED);
    expect(last("gentle").signal).toBe("SIGTERM");
    expect(last("stubborn").signal).toBe("SIGKILL");
  },
);

testDocker("the tasks of a group share its network, whose ports of the host lead to them, and its names", async () => {
  await agent();
  // No module: the image holds none. 2, 1 are AF_INET and SOCK_STREAM.
  const server = `socket(S, 2, 1, 6); bind(S, pack("SnNx8", 2, 8080, 0)) or die; listen(S, 9); $| = 1; print "listens\\n";
    while (accept(C, S)) { sysread(C, $_, 4096); syswrite(C, "HTTP/1.0 200 OK\\r\\n\\r\\nby an Engine"); close C }`;
  const beside = `$| = 1; for (1 .. 200) { socket(S, 2, 1, 6); last if connect(S, pack("SnNx8", 2, 8080, 0x7f000001)); select(undef, undef, undef, 0.02) }
    syswrite(S, "GET / HTTP/1.0\\r\\n\\r\\n"); print while <S>; print "\\n", \`hostname; cat /etc/hostname\`; sleep 1000`;
  const perl = { entrypoint: ["perl", "-e"] };
  fixture.master.launch({
    taskId: "serves",
    networkMode: "bridge",
    ports: [{ label: "http", to: 8080, number: 0 }],
    spec: script(server, {}, perl),
    others: [{ taskId: "beside", spec: script(beside, {}, perl) }],
  });
  for (const taskId of ["serves", "beside"]) await fixture.master.untilState(taskId, TASK_RUNNING);
  await expect.poll(() => fixture.outputOf("beside")).toMatch(/by an Engine\nserves\nserves\n$/);
  expect(await get(`127.0.0.1:${portOf(fixture, "serves").number}`)).toBe("200 by an Engine");
  const alone = await outputOf("alone", script("cat /proc/net/dev | cut -d: -f1 | tail -n +3; hostname"), {
    networkMode: "none",
  });
  expect(alone.trim().split(/\s+/)).toEqual(["lo", "alone"]);
});

testDocker(
  "io_max is what the kernel lets a task of an Engine read from the agent's disk and write to it",
  async () => {
    const found = findIoDevice(dataFolder);
    if (!found.works) return;
    const attributes = [{ name: ioLimitsAttribute, value: "1" }];
    const config = fixture.configWith({ drivers: ["docker"], networkModes: ["host"], attributes });
    await fixture.agentWithNets(["host"], config, bridge, { engineSocket: engine.socket });
    fixture.master.launch({ taskId: "limited", spec: script("sleep 1000", { ioMiBPerSecondMax: 3 }) });
    await fixture.master.untilState("limited", TASK_RUNNING);
    const limits = diskLimitsOf(last("limited").container?.pid ?? 0);
    expect(limits).toContain(`${found.device.major}:${found.device.minor} `);
    expect(limits.match(new RegExp(String(3 << 20), "g"))).toHaveLength(2);
  },
);

testDocker(
  "case 55: an agent that is away while a task of an Engine ends hears its exit code and all of its output",
  async () => {
    const first = await agent();
    fixture.master.launch({
      taskId: "ends",
      spec: script("until [ -e /local/go ]; do sleep 0.02; done; echo out; exit 7"),
    });
    await fixture.master.untilState("ends", TASK_RUNNING);
    const pid = last("ends").container?.pid ?? 0;
    await fixture.stop(first, "leave");
    const shims = kernelObjects(dataFolder);
    writeFileSync(`/proc/${pid}/root/local/go`, "");
    await expect.poll(() => kernelObjects(dataFolder)).not.toEqual(shims);
    await agent();
    await fixture.master.untilState("ends", TASK_FAILED);
    expect(last("ends").exitCode).toBe(7);
    expect(fixture.outputOf("ends")).toBe("out\n");
  },
);
