import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { emptyMessage, type HandlerOf, type MusterError, type Outlet } from "@muster/foundation";
import { type ExecResponse, Health, RestartMode, type TaskSpec, TaskState, type TaskStatus } from "@muster/proto";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import type { Agent } from "../../executors/src/agent/agent.ts";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { cniDefaults } from "../../executors/src/networks/cni/settings.ts";
import { settings as bridge, get, pinsOf, portOf } from "./bridge.support.ts";
import { kernelObjects } from "./containers.ts";
import { CrashOverlay } from "./crash-overlay.support.ts";
import { engineTools, OwnDockerd } from "./engine.support.ts";
import { baseLayer } from "./images.support.ts";
import { lacking, testUnless } from "./machine.ts";

const lack = lacking(...engineTools, "ip", "nft", "nsenter");
const plugins = ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"].find((folder) => existsSync(`${folder}/ptp`));
const cniFolder = mkdtempSync(join(tmpdir(), "muster-docker-cni-"));
const { TASK_RUNNING, TASK_FAILED, TASK_KILLED } = TaskState;
const overlay = new CrashOverlay();
const engine = new OwnDockerd();
let dataFolder = "";
const remains = async (): Promise<string[]> => [
  ...kernelObjects(dataFolder),
  ...(lack === "" ? await engine.containersOf(dataFolder) : []),
];
afterEach(() => expect.poll(remains).toEqual([]));
const fixture = AgentFixture.use(beforeEach, afterEach);
beforeEach(() => {
  dataFolder = fixture.dataFolder;
});

beforeAll(async () => {
  if (lack !== "") return;
  await engine.start();
  await engine.importImage(baseLayer(), "base:1", ['ENTRYPOINT ["/bin/sh","-c"]', "ENV PATH=/bin"]);
}, 40_000);
afterAll(async () => {
  rmSync(cniFolder, { recursive: true, force: true });
  overlay.down();
  await engine.remove();
}, 20_000);

function testDocker(title: string, act: () => Promise<void>, lacks = lack): void {
  testUnless(lacks, title, act, 60_000);
}

function agent(sweepMs = 300): Promise<Agent> {
  const networkModes = ["host", "none", "bridge", "cni/web"];
  const config = fixture.configWith({ drivers: ["docker"], networkModes });
  const cni = { ...cniDefaults, configFolder: cniFolder, pluginFolders: [plugins ?? ""] };
  const { underlay } = overlay;
  const options = { engineSocket: engine.socket, cni, underlay };
  return fixture.agentWithNets(networkModes, { ...config, sweepMs }, bridge, options);
}

const last = (taskId: string): TaskStatus => fixture.master.of(taskId).at(-1) as TaskStatus;

function script(text: string, more: Partial<TaskSpec> = {}, config: object = {}): Partial<TaskSpec> {
  return { driver: "docker", command: text, driverConfigJson: JSON.stringify({ image: "base:1", ...config }), ...more };
}

/** Fails at its first start when it is told to; at its second it stays. Says its attempts' host names. */
function twice(delayMs: number): Partial<TaskSpec> {
  const wait = "until [ -e /local/go ]; do sleep 0.05; done";
  const mode = RestartMode.RESTART_MODE_FAIL;
  return script(`hostname; [ -e /local/again ] && exec sleep 300; touch /local/again; ${wait}; exit 3`, {
    restartPolicy: { attempts: 2, intervalMs: 60_000, delayMs, mode, afterSuccess: false },
  });
}

/** Has the first attempt end. */
function letGo(taskId: string): void {
  writeFileSync(`/proc/${last(taskId).container?.pid}/root/local/go`, "");
}

async function untilAgain(taskId: string): Promise<void> {
  const isAgain = (): boolean => last(taskId).state === TASK_RUNNING && last(taskId).restartCount === 1;
  await fixture.master.until(isAgain, `${taskId} started again`, 20_000);
  await expect.poll(() => fixture.outputOf(taskId).trim().split("\n")).toHaveLength(2);
  // The container of the first attempt is gone.
  await expect.poll(() => engine.containersOf(dataFolder)).toHaveLength(1);
}

async function launched(taskId: string, spec: Partial<TaskSpec>, networkMode = "host"): Promise<void> {
  const ports = networkMode === "none" || networkMode === "host" ? [] : [{ label: "http", to: 8080, number: 0 }];
  fixture.master.launch({ taskId, networkMode, ports, spec });
  const isBegun = (): boolean => last(taskId)?.state === TASK_RUNNING || last(taskId)?.state === TASK_FAILED;
  await fixture.master.until(isBegun, `start of ${taskId}`, 20_000);
  expect(last(taskId)).toMatchObject({ state: TASK_RUNNING });
}

async function killed(taskId: string): Promise<void> {
  fixture.master.kill(taskId, 0);
  await fixture.master.until(() => last(taskId).state === TASK_KILLED, `end of ${taskId}`, 20_000);
}

testDocker("a task of an Engine that ends after its agent was restarted is started again in its place", async () => {
  const first = await agent();
  await launched("ends-later", twice(200), "bridge");
  const ips = last("ends-later").container?.ips;
  await fixture.stop(first, "leave");
  await agent();
  letGo("ends-later");
  await untilAgain("ends-later");
  expect(last("ends-later").container?.ips).toEqual(ips);
  expect(new Set(fixture.outputOf("ends-later").trim().split("\n"))).toEqual(new Set(["ends-later"]));
  await killed("ends-later");
});

testDocker("one that ends while no agent is there is started again by the next", async () => {
  const first = await agent();
  await launched("ends-alone", twice(200), "none");
  await fixture.stop(first, "leave");
  letGo("ends-alone");
  await expect.poll(() => engine.containersOf(dataFolder)).toEqual([]);
  await agent();
  await untilAgain("ends-alone");
  await killed("ends-alone");
});

testDocker("one that waits for its next start while its agent is restarted is started again", async () => {
  const first = await agent();
  await launched("waits", twice(1_500));
  letGo("waits");
  await fixture.master.until(() => last("waits").nextTryAt !== undefined, "a plan", 20_000);
  await fixture.stop(first, "leave");
  await agent();
  await untilAgain("waits");
  await killed("waits");
});

/** What a command beside a task writes, and how it ends. */
function beside(agent: Agent, taskId: string, text: string, tty = false): Promise<string> {
  const handler = agent.handlers["Tasks.Exec"] as HandlerOf<"Tasks.Exec">;
  const written: string[] = [];
  return new Promise((resolve, reject) => {
    const outlet: Outlet<ExecResponse> = {
      send: ({ stdout, stderr, end }) => {
        written.push(Buffer.from(stdout).toString(), Buffer.from(stderr).toString());
        if (end) resolve(`${written.join("")}exit ${end.exitCode}`);
      },
      ready: () => true,
      end: (error?: MusterError) => (error ? reject(error) : undefined),
    };
    const inlet = handler(outlet, { address: "127.0.0.1", principal: "local" });
    const size = tty ? { columns: 70, rows: 20 } : null;
    const start = { ...emptyMessage("ExecStart"), taskId, command: ["sh", "-c", text], tty, size };
    inlet.receive({ ...emptyMessage("ExecRequest"), start });
  });
}

testDocker(
  "a command beside a task of an Engine is in its container, with its files, names and environment",
  async () => {
    const first = await agent();
    const environment = { GREETING: "hello" };
    await launched("looked-at", script("echo mine > /local/mark; exec sleep 300", { environment }), "bridge");
    const look = "hostname; cat /local/mark /etc/hostname; echo $GREETING; cat /proc/1/comm; exit 4";
    const expected = "looked-at\nmine\nlooked-at\nhello\ndocker-init\nexit 4";
    expect(await beside(first, "looked-at", look)).toBe(expected);
    expect(await beside(first, "looked-at", "[ -t 0 ] && echo terminal", true)).toBe("terminal\r\nexit 0");
    await fixture.stop(first, "leave");
    const next = await agent();
    // It has registered a moment before it has taken up its tasks.
    await expect.poll(() => beside(next, "looked-at", look).catch(String)).toBe(expected);
    await killed("looked-at");
  },
);

testDocker("a script check runs in the container of its task: it passes, and fails when its file is gone", async () => {
  await agent();
  const common = { name: "", timeoutMs: 2_000, graceMs: 0, failuresMax: 1, action: 1 as const, intervalMs: 100 };
  const check = { ...common, script: { command: "sh", arguments: ["-c", "[ -e /local/well ] && hostname"] } };
  await launched("checked", script("touch /local/well; exec sleep 300", { healthChecks: [check] }), "none");
  await fixture.master.until(() => last("checked").health === Health.HEALTH_HEALTHY, "healthy", 20_000);
  rmSync(`/proc/${last("checked").container?.pid}/root/local/well`);
  await fixture.master.until(() => last("checked").health === Health.HEALTH_UNHEALTHY, "unhealthy", 20_000);
  await killed("checked");
});

testDocker("what is looked for at every sweep and belongs to a task that lives is left alone", async () => {
  await agent(100);
  await launched("kept", script("exec sleep 300"), "none");
  await engine.create("stray", {
    "muster.task": "gone-1.0",
    "muster.agent": pinsOf(dataFolder)[0]?.split("-")[1] ?? "",
  });
  const { pid } = last("kept").container ?? {};
  await expect.poll(() => engine.containersOf(dataFolder)).toHaveLength(1);
  // Several sweeps later it is the same process still.
  await expect.poll(() => engine.names()).not.toContain("/stray");
  expect(last("kept").container?.pid).toBe(pid);
  expect(existsSync(`/proc/${pid}`)).toBe(true);
  await killed("kept");
});

/** Answers each request on port 8080. The image has no modules: 2 and 1 are AF_INET and SOCK_STREAM. */
const server = `socket(S, 2, 1, 6); bind(S, pack("SnNx8", 2, 8080, 0)) or die; listen(S, 9);
  while (accept(C, S)) { sysread(C, $_, 4096); syswrite(C, "HTTP/1.0 200 OK\\r\\n\\r\\nby an Engine"); close C }`;
const serves = script(server, {}, { entrypoint: ["perl", "-e"] });

/** It answers, also when another agent has taken it up; then nothing of it is left. */
async function answersAt(taskId: string, address: () => string, first: Agent): Promise<void> {
  await expect.poll(() => get(address()).catch(String)).toBe("200 by an Engine");
  const ips = last(taskId).container?.ips;
  await fixture.stop(first, "leave");
  await agent();
  expect(await get(address())).toBe("200 by an Engine");
  expect(last(taskId).container?.ips).toEqual(ips);
  await killed(taskId);
  await expect.poll(() => pinsOf(dataFolder)).toEqual([]);
}

testDocker(
  "a task of an Engine is in a network of plugins, with its address and its port of the host",
  async () => {
    mkdirSync(cniFolder, { recursive: true });
    const ipam = { type: "host-local", dataDir: `${cniFolder}/ipam`, ranges: [[{ subnet: "10.219.1.0/24" }]] };
    const chain = [
      { type: "ptp", ipMasq: true, ipam },
      { type: "portmap", capabilities: { portMappings: true } },
    ];
    const list = { name: "web", cniVersion: "1.0.0", plugins: chain };
    writeFileSync(join(cniFolder, "web.conflist"), JSON.stringify(list));
    const first = await agent();
    await launched("plugged", serves, "cni/web");
    expect(last("plugged").container?.ips[0]).toMatch(/^10\.219\.1\./);
    await answersAt("plugged", () => `127.0.0.1:${portOf(fixture, "plugged").number}`, first);
  },
  lack || (plugins ? "" : "needs the plugins of CNI"),
);

testDocker("a task of an Engine is in an overlay network, with an address that others reach", async () => {
  overlay.up();
  const first = await agent();
  overlay.tell(fixture);
  await fixture.master.until(() => overlay.isReady(fixture), "the network", 20_000);
  await launched("overlaid", serves, CrashOverlay.mode);
  await answersAt("overlaid", () => `${last("overlaid").container?.ips[0]}:8080`, first);
});
