import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isTerminal } from "@muster/foundation";
import { RestartMode, StatusReason, type TaskSpec, TaskState, type TaskStatus } from "@muster/proto";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import type { HostWorldOptions } from "../../executors/src/host-world.ts";
import { settings as bridge, get, portOf } from "./bridge.support.ts";
import { containersHere, kernelObjects } from "./containers.ts";
import { execIn } from "./exec.support.ts";
import { baseLayer, filesLayer, imageTools, Layout, type Made, Registry } from "./images.support.ts";
import { LyingRegistry, skopeoOf } from "./lying-registry.support.ts";
import { lacking, testUnless } from "./machine.ts";

const { host, reason } = await containersHere();
const lack = host ? lacking(...imageTools, "nft") : reason;
const { TASK_RUNNING, TASK_FINISHED, TASK_FAILED, TASK_KILLED } = TaskState;
afterEach(() => expect.poll(() => kernelObjects(dataFolder), { timeout: 5_000 }).toEqual([]));
const fixture = AgentFixture.use(beforeEach, afterEach);
let dataFolder = "";
beforeEach(() => {
  dataFolder = fixture.dataFolder;
});

const folder = mkdtempSync(join(tmpdir(), "muster-images-"));
const layout = new Layout(join(folder, "layout"));
const registry = new Registry();
/** Serves the same layout, and lies where a test wants it to. */
const gone = new LyingRegistry(layout);
afterEach(() => gone.reset());
let base: Made;
let name = "";
beforeAll(async () => {
  if (lack !== "") return;
  const lowest = baseLayer();
  const config = { Entrypoint: ["/bin/sh", "-c"], Cmd: ["echo $GREETING"], Env: ["GREETING=hello", "PATH=/bin"] };
  base = layout.add("base", { layers: [lowest, filesLayer({ "second/file": "from above" })], config });
  layout.add("other", { layers: [lowest, filesLayer({ "other/file": "of the other" })], config });
  layout.add("user", { layers: [lowest], config: { ...config, User: "web", WorkingDir: "/tmp" } });
  await registry.start();
  await gone.start();
  name = registry.push(layout, "base", "team/base:1");
  registry.push(layout, "other", "team/other:1");
}, 30_000);
afterAll(async () => {
  await registry.remove();
  if (lack === "") await gone.stop();
  rmSync(folder, { recursive: true, force: true });
});

function testOci(title: string, act: () => Promise<void>, timeoutMs?: number): void {
  testUnless(lack, title, act, timeoutMs);
}

async function agent(options: Partial<HostWorldOptions> = {}): Promise<Awaited<ReturnType<AgentFixture["agent"]>>> {
  if (!host) throw new Error(reason);
  const registries = { authFile: "", insecureRegistries: [registry.address] };
  return await fixture.agentWithContainers(host, ["host", "none", "bridge"], {
    hasImages: true,
    registries,
    bridge,
    ...options,
  });
}

/** A task from an image; `config` as a job's agent gets it. */
function image(config: object, more: Partial<TaskSpec> = {}): Partial<TaskSpec> {
  return { driver: "oci", command: "", driverConfigJson: JSON.stringify(config), ...more };
}

const last = (taskId: string): TaskStatus => fixture.master.of(taskId).at(-1) as TaskStatus;

async function outputOf(taskId: string, spec: Partial<TaskSpec>, more: object = {}): Promise<string> {
  fixture.master.launch({ taskId, spec, ...more });
  await fixture.master.until(() => isTerminal(last(taskId)?.state ?? TaskState.TASK_STAGING), `end of ${taskId}`);
  expect(last(taskId)).toMatchObject({ state: TASK_FINISHED, message: "" });
  return fixture.outputOf(taskId);
}

testOci(
  "an image runs from a tag, a digest and a layout with its own entrypoint, command and environment",
  async () => {
    await agent();
    expect(await outputOf("tag", image({ image: name }))).toBe("hello\n");
    expect(await outputOf("digest", image({ image: `${registry.address}/team/base@${base.digest}` }))).toBe("hello\n");
    expect(await outputOf("layout", image({ image: `oci:${layout.folder}:base` }))).toBe("hello\n");
    const own = image({ image: name, entrypoint: ["/bin/cat"] }, { command: "/second/file" });
    expect(await outputOf("own", own)).toBe("from above");
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what the agent fills in.
    const environment = { GREETING: "hello from ${NOMAD_TASK_NAME}" };
    expect(await outputOf("says", image({ image: name }, { environment }))).toBe("hello from says\n");
  },
);

testOci(
  "a task is who its image or its job says, begins where they say, and writes to a layer that goes with it",
  async () => {
    await agent();
    const who = "id -u; id -g; id -G; echo $PWD; echo $HOME; echo x 2>/dev/null > /etc/new || echo refused";
    const user = image({ image: `oci:${layout.folder}:user` }, { command: who });
    expect((await outputOf("user", user)).split("\n").slice(0, 6)).toEqual([
      "1234",
      "1235",
      "1235 77",
      "/tmp",
      "/home/web",
      "refused",
    ]);
    const asRoot = image(
      { image: name, work_dir: "/etc" },
      { command: "id -u; echo $PWD; echo x > /etc/new; cat new" },
    );
    expect(await outputOf("root", { ...asRoot, user: "0" })).toBe("0\n/etc\nx\n");
    const numbers = image({ image: name }, { command: "id -u; id -g", user: "77:78" });
    expect(await outputOf("numbers", numbers)).toBe("77\n78\n");
    const again = image({ image: name }, { command: "ls /etc" });
    expect(await outputOf("again", again)).not.toContain("new");
    const stranger = image({ image: name }, { user: "stranger" });
    fixture.master.launch({ taskId: "stranger", spec: stranger });
    await fixture.master.untilState("stranger", TASK_FAILED);
    expect(last("stranger").message).toMatch(/user stranger is not known in its image/);
  },
);

testOci(
  "case 72: what a layer hides of those below, file by file or a folder at once, a task does not see",
  async () => {
    await agent();
    const below = {
      "a/keep": "k",
      "a/gone": "g",
      "dir/old": "o",
      "etc/passwd": "root:x:0:0::/:/bin/sh\n",
      "full/x": "x",
    };
    const hides = { "a/.wh.gone": "", "dir/.wh..wh..opq": "", "dir/new": "n", ".wh.full": "" };
    layout.add("hides", { layers: [baseLayer(), filesLayer(below), filesLayer(hides)] });
    const script =
      "ls /a /dir; ls /full 2>/dev/null || echo none; mkdir /full; ls /full; echo back > /a/gone; cat /a/gone";
    const spec = image({ image: `oci:${layout.folder}:hides` }, { command: "/bin/sh", arguments: ["-c", script] });
    expect((await outputOf("hides", spec)).split("\n")).toEqual([
      "/a:",
      "keep",
      "",
      "/dir:",
      "new",
      "none",
      "back",
      "",
    ]);
  },
);

testOci(
  "layers that several images have are fetched and unpacked once, also when both are wanted at the same time",
  async () => {
    await agent();
    fixture.master.launch({ taskId: "one", spec: image({ image: name }) });
    fixture.master.launch({ taskId: "two", spec: image({ image: `${registry.address}/team/other:1` }) });
    fixture.master.launch({ taskId: "three", spec: image({ image: name }) });
    for (const taskId of ["one", "two", "three"]) await fixture.master.untilState(taskId, TASK_FINISHED);
    const layers = join(dataFolder, "images/layers");
    expect(readdirSync(layers)).toHaveLength(3);
    const shared = join(layers, (base.layers[0]?.diffId ?? "").slice(7));
    const before = statSync(shared).ino;
    expect(await outputOf("four", image({ image: `oci:${layout.folder}:other` }, { command: "cat /other/file" }))).toBe(
      "of the other",
    );
    expect(statSync(shared).ino).toBe(before);
  },
);

testOci("what is here runs without its registry; force_pull asks it, and says that it can't be reached", async () => {
  await agent({ registries: { authFile: "", insecureRegistries: [gone.address] } });
  const here = `${gone.address}/base:base`;
  expect(await outputOf("first", image({ image: here }))).toBe("hello\n");
  const asked = gone.asked.length;
  expect(await outputOf("second", image({ image: here }))).toBe("hello\n");
  expect(gone.asked).toHaveLength(asked);
  gone.lie = (_path, response) => response.destroy() !== undefined;
  expect(await outputOf("third", image({ image: here }))).toBe("hello\n");
  fixture.master.launch({
    taskId: "forced",
    spec: image({ image: here, force_pull: true, image_pull_timeout_ms: 800 }),
  });
  await fixture.master.untilState("forced", TASK_FAILED);
  expect(last("forced").reason).toBe(StatusReason.REASON_LAUNCH_FAILED);
  expect(last("forced").message).toMatch(/^image 127.0.0.1:\d+\/base:base: .*(can't be reached|broke off)/);
});

testOci("an image serves in a network of its own, behind a port of the host", async () => {
  await agent();
  // No module: the image holds none. 2, 1 are AF_INET and SOCK_STREAM.
  const server = `socket(S, 2, 1, 6); bind(S, pack("SnNx8", 2, 8080, 0)) or die; listen(S, 9); $| = 1; print "listens\\n";
    while (accept(C, S)) { sysread(C, $_, 4096); syswrite(C, "HTTP/1.0 200 OK\\r\\n\\r\\nfrom an image"); close C }`;
  const spec = image({ image: name, entrypoint: ["perl", "-e"] }, { command: server });
  const ports = [{ label: "http", to: 8080, number: 0 }];
  fixture.master.launch({ taskId: "serves", networkMode: "bridge", ports, spec });
  await fixture.master.untilState("serves", TASK_RUNNING);
  await expect.poll(() => fixture.outputOf("serves")).toBe("listens\n");
  expect(await get(`127.0.0.1:${portOf(fixture, "serves").number}`)).toBe("200 from an image");
  const names = image({ image: name }, { command: "hostname; cat /etc/hostname; grep -c named /etc/hosts" });
  expect(await outputOf("named", names, { networkMode: "none" })).toBe("named\nnamed\n1\n");
});

testOci("a restarted agent takes up a task of an image without asking a registry, and its layers stay", async () => {
  const first = await agent();
  const spec = image(
    { image: name },
    { command: "until [ -e /local/go ]; do sleep 0.02; done; cat /second/file; exit 7" },
  );
  fixture.master.launch({ taskId: "lives", spec });
  await fixture.master.untilState("lives", TASK_RUNNING);
  const pid = last("lives").container?.pid ?? 0;
  await fixture.stop(first, "leave");
  const second = await agent({ registries: { authFile: "", insecureRegistries: [] } });
  expect(readdirSync(join(dataFolder, "images/uses"))).toHaveLength(1);
  await expect.poll(() => execIn(second, "lives", "echo $GREETING")).toBe("hello\n");
  expect(existsSync(`/proc/${pid}`)).toBe(true);
  writeFileSync(`/proc/${pid}/root/local/go`, "");
  await fixture.master.untilState("lives", TASK_FAILED);
  expect(last("lives").exitCode).toBe(7);
  expect(fixture.outputOf("lives")).toBe("from above");
  await expect.poll(() => readdirSync(join(dataFolder, "images/uses"))).toEqual([]);
});

testOci("a task whose image was not there yet when the agent ended gets it from the next agent", async () => {
  const held: (() => void)[] = [];
  gone.lie = (path, response) => path.includes("/blobs/") && held.push(() => response.destroy()) > 0;
  const registries = { authFile: "", insecureRegistries: [gone.address] };
  const first = await agent({ registries });
  fixture.master.launch({ taskId: "waits", spec: image({ image: `${gone.address}/base:base` }) });
  await fixture.master.until(() => /^pulling image/.test(last("waits")?.message ?? ""), "news of the pull");
  expect(last("waits")).toMatchObject({ state: TaskState.TASK_STARTING, message: /base:base: 2 layers, \d+ MiB$/ });
  await fixture.stop(first, "leave");
  gone.reset();
  await agent({ registries });
  await fixture.master.untilState("waits", TASK_FINISHED);
  expect(fixture.outputOf("waits")).toBe("hello\n");
});

testOci("a kill while an image is being pulled ends the task at once, and nothing of the pull is left", async () => {
  gone.lie = (path) => path.includes("/blobs/");
  await agent({ registries: { authFile: "", insecureRegistries: [gone.address] } });
  fixture.master.launch({ taskId: "pulled", spec: image({ image: `${gone.address}/base:base` }) });
  await expect.poll(() => gone.blobsAsked().length).toBeGreaterThan(0);
  expect(skopeoOf(dataFolder)).toHaveLength(1);
  fixture.master.kill("pulled");
  await fixture.master.untilState("pulled", TASK_KILLED);
  expect(last("pulled").reason).toBe(StatusReason.REASON_KILLED_DURING_LAUNCH);
  await expect.poll(() => skopeoOf(dataFolder)).toEqual([]);
  await expect.poll(() => readdirSync(join(dataFolder, "images/moment"))).toEqual([]);
});

testOci("several tasks of one group each have their image; if one can't be had, none starts", async () => {
  await agent();
  const others = [{ taskId: "beside", spec: image({ image: `${registry.address}/team/none:1` }) }];
  fixture.master.launch({ taskId: "main", spec: image({ image: name }), others });
  await fixture.master.untilState("beside", TASK_FAILED);
  await fixture.master.untilState("main", TASK_KILLED);
  expect(last("beside").message).toMatch(/team\/none:1: it was not found in the registry/);
  expect(last("main").container?.pid).toBe(0);
});

testOci(
  "a task from an image that is started again in its place finds what it wrote, and asks for no image",
  async () => {
    const first = await agent();
    const script =
      "echo x >> /etc/starts; cat /etc/starts; [ -e /local/go ] || { touch /local/go; exit 3; }; sleep 1000";
    const restartPolicy = {
      attempts: 1,
      intervalMs: 0,
      delayMs: 300,
      mode: RestartMode.RESTART_MODE_FAIL,
      afterSuccess: false,
    };
    fixture.master.launch({ taskId: "again", spec: image({ image: name }, { command: script, restartPolicy }) });
    await fixture.master.until(() => last("again")?.reason === StatusReason.REASON_RESTARTING, "news of the restart");
    // The next agent starts it, and has to find its image again.
    await fixture.stop(first, "leave");
    await agent({ registries: { authFile: "", insecureRegistries: [] } });
    await expect.poll(() => fixture.outputOf("again")).toBe("x\nx\nx\n");
    expect(readdirSync(join(dataFolder, "images/uses"))).toHaveLength(1);
  },
);
