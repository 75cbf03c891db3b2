import { execFileSync, spawn } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StatusReason, type TaskSpec, TaskState, type TaskStatus } from "@muster/proto";
import { afterEach, beforeEach, expect } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { readLayout } from "../../executors/src/cgroups/layout.ts";
import { TaskCgroups } from "../../executors/src/cgroups/task-cgroups.ts";
import { ioLimitsAttribute } from "../../executors/src/drivers/io-refusal.ts";
import { ownerOf } from "../../executors/src/networks/kernel/namespaces.ts";
import { isAlive, startTicks } from "../../executors/src/shim/processes.ts";
import { containersHere, diskLimitsOf, kernelObjects } from "./containers.ts";
import { testUnless } from "./machine.ts";

const { host, reason: lack } = await containersHere();
const { TASK_RUNNING, TASK_FINISHED, TASK_FAILED, TASK_KILLED, TASK_ERROR } = TaskState;
const { REASON_OUT_OF_MEMORY, REASON_LAUNCH_FAILED, REASON_TASK_INVALID, REASON_SUPERVISOR_LOST } = StatusReason;
// Hooks run from the last to the first: this one looks when the fixture has ended its agents.
afterEach(() => expect.poll(() => kernelObjects(dataFolder), { timeout: 5_000 }).toEqual([]));
const fixture = AgentFixture.use(beforeEach, afterEach);
let dataFolder = "";
beforeEach(() => {
  dataFolder = fixture.dataFolder;
});

function testExec(name: string, act: () => Promise<void>, timeoutMs?: number): void {
  testUnless(host ? "" : lack, name, act, timeoutMs);
}

/** A task that runs a script in a container. */
function script(text: string, more: Partial<TaskSpec> = {}): Partial<TaskSpec> {
  return { driver: "exec", command: "sh", arguments: ["-c", text], ...more };
}

async function agent(): Promise<void> {
  if (host) await fixture.agentWithContainers(host);
}

/** What a script says that runs to its end. */
async function outputOf(text: string, more: Partial<TaskSpec> = {}): Promise<string[]> {
  await agent();
  fixture.master.launch({ taskId: "says", spec: script(text, more), resources: { cpuMillis: 100, memoryMiB: 64 } });
  await fixture.master.untilState("says", TASK_FINISHED);
  return fixture.outputOf("says").trim().split("\n");
}

function last(taskId: string): TaskStatus {
  return fixture.master.of(taskId).at(-1) as TaskStatus;
}

function started(taskId: string): number {
  return fixture.master.of(taskId).find(({ state }) => state === TASK_RUNNING)?.container?.pid ?? 0;
}

testExec(
  "an exec task sees the host's programs, its own processes, nobody's rights and folders like Nomad's",
  async () => {
    const lines = await outputOf(`
    id -un; ls -d /bin /usr /etc /lib | wc -l; ls /root /home /var 2>/dev/null | wc -l
    ls /proc | grep -c '^[0-9]'; pwd; echo $NOMAD_ALLOC_DIR $NOMAD_TASK_DIR $MUSTER_SECRETS_DIR
    touch /alloc/a /local/b /secrets/c /tmp/d && echo writes; touch /usr/e /etc/f 2>/dev/null || echo refused
    grep -E 'NoNewPrivs|CapEff|CapBnd|Seccomp:' /proc/self/status | tr -s '\\t\\n' ' '`);
    expect(lines.slice(0, 3)).toEqual(["nobody", "4", "0"]);
    expect(Number(lines[3])).toBeLessThan(7);
    expect(lines.slice(4, 8)).toEqual(["/", "/alloc /local /secrets", "writes", "refused"]);
    expect(lines[8]?.trim()).toBe("CapEff: 0000000000000000 CapBnd: 0000000000000000 NoNewPrivs: 1 Seccomp: 2");
  },
);

testExec("a command that is not there, or is no program, never runs: the task fails and says why", async () => {
  await agent();
  fixture.master.launch({ taskId: "absent", spec: { driver: "exec", command: "no-such-program" } });
  fixture.master.launch({ taskId: "no-exec", spec: { driver: "exec", command: "/etc/passwd" } });
  const folder = join(fixture.dataFolder, "shared");
  mkdirSync(folder);
  writeFileSync(join(folder, "bad"), "no program at all", { mode: 0o755 });
  const inRoot = { driverConfigJson: JSON.stringify({ rootfs: folder }) };
  fixture.master.launch({ taskId: "no-program", spec: { driver: "exec", command: "/bad", user: "12345", ...inRoot } });
  fixture.master.launch({ taskId: "no-folder", spec: script("true", { driverConfigJson: '{"rootfs":"/no/such"}' }) });
  fixture.master.launch({ taskId: "wrong", spec: script("true", { driverConfigJson: '{"cap_add":["sys_admin"]}' }) });
  for (const id of ["absent", "no-exec", "no-folder", "no-program"]) {
    await fixture.master.untilState(id, TASK_FAILED);
    expect(last(id).reason).toBe(REASON_LAUNCH_FAILED);
    expect(started(id)).toBe(0);
  }
  expect(last("absent").message).toMatch(/no-such-program.*(not found|No such file)/);
  expect(last("no-exec").message).toMatch(/[Pp]ermission denied/);
  expect(last("no-folder").message).toMatch(/rootfs \/no\/such is not a folder/);
  expect(last("no-program").message).toMatch(/format error|could not be executed/);
  await fixture.master.untilState("wrong", TASK_ERROR);
  expect(last("wrong")).toMatchObject({ reason: REASON_TASK_INVALID, message: /cap_add: sys_admin/ });
});

testExec(
  "exit codes and signals of an exec task are told apart: 7, 137, SIGKILL, and SIGTERM without a handler",
  async () => {
    await agent();
    const ends = { seven: "exit 7", code: "exit 137", signal: "kill -9 $$" };
    for (const [taskId, text] of Object.entries(ends)) fixture.master.launch({ taskId, spec: script(text) });
    fixture.master.launch({ taskId: "sleeps", spec: { driver: "exec", command: "sleep", arguments: ["1000"] } });
    for (const taskId of Object.keys(ends)) await fixture.master.untilState(taskId, TASK_FAILED);
    expect(last("seven")).toMatchObject({ exitCode: 7, signal: "" });
    expect(last("code")).toMatchObject({ exitCode: 137, signal: "" });
    expect(last("signal").signal).toBe("SIGKILL");
    await fixture.master.untilState("sleeps", TASK_RUNNING);
    fixture.master.kill("sleeps", 60_000);
    await fixture.master.untilState("sleeps", TASK_KILLED);
    expect(last("sleeps").signal).toBe("SIGTERM");
  },
);

testExec(
  "case 63: an exec task that ignores SIGTERM and its double-forked child are gone after the grace",
  async () => {
    await agent();
    const text = "trap '' TERM; (setsid sleep 1000 &) ; echo ready; while :; do sleep 1000; done";
    fixture.master.launch({ taskId: "deaf", spec: script(text) });
    await fixture.master.untilState("deaf", TASK_RUNNING);
    const pid = started("deaf");
    expect(readFileSync(`/proc/${pid}/comm`, "utf8")).toBe("sh\n");
    await expect.poll(() => fixture.outputOf("deaf")).toBe("ready\n");
    fixture.master.kill("deaf", 200);
    await fixture.master.untilState("deaf", TASK_KILLED);
    expect(last("deaf").signal).toBe("SIGKILL");
    expect(kernelObjects(fixture.dataFolder).filter((name) => name.startsWith("cgroup"))).toEqual([]);
    expect(existsSync(`/proc/${pid}`)).toBe(false);
  },
);

const eats = "perl -e '$x = \"a\" x (100 << 20); print length $x'";

testExec(
  "case 65: a child that eats more than the limit is killed, the task runs on and an event says so",
  async () => {
    await agent();
    const text = `${eats}; echo survived; exec sleep 1000`;
    fixture.master.launch({ taskId: "parent", spec: script(text), resources: { cpuMillis: 100, memoryMiB: 32 } });
    await fixture.master.until(
      () => fixture.master.of("parent").some(({ reason }) => reason === REASON_OUT_OF_MEMORY),
      "news of the lack of memory",
    );
    const news = fixture.master.of("parent").find(({ reason }) => reason === REASON_OUT_OF_MEMORY);
    expect(news?.state).toBe(TASK_RUNNING);
    expect(news?.message).toMatch(/limit of 32 MiB the kernel ended one of its processes; its main process runs on/);
    await expect.poll(() => fixture.outputOf("parent")).toBe("survived\n");
    fixture.master.kill("parent", 0);
    await fixture.master.untilState("parent", TASK_KILLED);
  },
);

testExec("what ran out of memory before its shim could ask for news of that is told, too", async () => {
  // A machine that is busy: the container's program runs long before its runtime is heard to be done.
  const path = join(dataFolder, "late-runtime");
  writeFileSync(path, `#!/bin/sh\n${host?.runtime.path} "$@"\ncode=$?\nsleep 1\nexit $code\n`, { mode: 0o755 });
  if (host) await fixture.agentWithContainers({ ...host, runtime: { ...host.runtime, path } });
  const text = `${eats}; exec sleep 1000`;
  fixture.master.launch({ taskId: "early", spec: script(text), resources: { cpuMillis: 100, memoryMiB: 32 } });
  await fixture.master.until(
    () => fixture.master.of("early").some(({ reason }) => reason === REASON_OUT_OF_MEMORY),
    "news of the lack of memory",
  );
});

testExec("case 66: a main process that runs out of memory ends the task with that reason and its figures", async () => {
  await agent();
  const resources = { cpuMillis: 100, memoryMiB: 32 };
  fixture.master.launch({ taskId: "eats", spec: script(`exec ${eats}`), resources });
  await fixture.master.untilState("eats", TASK_FAILED);
  expect(last("eats")).toMatchObject({ reason: REASON_OUT_OF_MEMORY, signal: "SIGKILL" });
  expect(last("eats").message).toMatch(/limit of 32 MiB/);
});

testExec(
  "memory_max is the limit where it is given: what is beyond memory may be used while the host has it",
  async () => {
    expect(await outputOf(eats, { memoryMiBMax: 256 })).toEqual([String(100 << 20)]);
  },
);

testExec("cpu_max is what a task that never rests gets of a processor, and no more", async () => {
  const spins = `perl -e 'my $end = time + 3; 1 while time < $end; my ($user, $system) = times; print $user + $system'`;
  const began = Date.now();
  const [seconds] = await outputOf(spins, { cpuMillisMax: 200 });
  // Of two to three seconds, by the clock of whole ones; a machine that is busy gives less, and never more.
  expect(Number(seconds)).toBeLessThan(0.2 * ((Date.now() - began) / 1_000) + 0.1);
  expect(Number(seconds)).toBeGreaterThan(0.2);
});

testExec("io_max is what the kernel lets a task read from the agent's disk and write to it", async () => {
  if (!host) return;
  const device = host.ioDevice;
  const spec = script("sleep 1000", { ioMiBPerSecondMax: 3 });
  const first = await fixture.agentWithContainers(host);
  fixture.master.launch({ taskId: "refused", spec });
  await fixture.master.until(() => last("refused")?.reason === StatusReason.REASON_UNSUPPORTED, "refusal");
  expect(last("refused").message).toMatch(/^io_max: this agent can't keep limits of its disk/);
  if (!device) return;
  await fixture.stop(first, "leave");
  const attributes = [{ name: ioLimitsAttribute, value: "1" }];
  const config = fixture.configWith({ attributes, networkModes: ["host"], drivers: ["exec"] });
  await fixture.agentWithContainers(host, ["host"], {}, config);
  fixture.master.launch({ taskId: "limited", spec });
  await fixture.master.untilState("limited", TaskState.TASK_RUNNING);
  const limits = diskLimitsOf(started("limited"));
  expect(limits).toContain(`${device.major}:${device.minor} `);
  expect(limits.match(new RegExp(String(3 << 20), "g"))).toHaveLength(2);
});

testExec("case 67: a fork bomb meets the limit of processes, and the host does not notice", async () => {
  const bomb = `perl -e '$| = 1; for (1..20) { my $pid = fork; if (!defined $pid) { print "refused: $!\\n"; last }
    if (!$pid) { sleep 1000; exit } $made++ } print "made $made\\n"; kill 9, -$$'`;
  await agent();
  const spec = script(`exec ${bomb}`, { driverConfigJson: '{"pids_limit":5}' });
  fixture.master.launch({ taskId: "bomb", spec });
  await fixture.master.until(() => last("bomb")?.state === TASK_FAILED, "the end of the bomb");
  const [refused, made] = fixture.outputOf("bomb").trim().split("\n");
  expect(refused).toBe("refused: Resource temporarily unavailable");
  expect(Number(made?.replace("made ", ""))).toBeLessThanOrEqual(4);
});

testExec("case 68: the fingerprint finds the layout of cgroups, and what runs containers with it", async () => {
  expect(readLayout().name).toBe(host?.cgroups.name);
  expect(host?.cgroups.hierarchies.flatMap(({ controllers }) => controllers)).toEqual(
    expect.arrayContaining(["memory", "cpu", "pids"]),
  );
  expect(["crun", "runc"]).toContain(host?.runtime.name);
  if (host?.cgroups.name === "hybrid" && host.runtime.name === "crun")
    expect(host.runtime.hiddenMount).toBe(host.cgroups.unifiedFolder);
});

const asRoot = { user: "root" };

testExec("case 69: an exec task of root reads no /proc/kcore and writes nothing below /proc/sys", async () => {
  const lines = await outputOf(
    `head -c 1 /proc/kcore | wc -c; echo 1 2>/dev/null > /proc/sys/vm/drop_caches || echo refused
     echo b 2>/dev/null > /proc/sysrq-trigger || echo refused; touch /sys/x 2>/dev/null || echo refused`,
    asRoot,
  );
  expect(lines).toEqual(["0", "refused", "refused", "refused"]);
});

testExec("case 70: a setuid program gives an exec task that is not root nothing", async () => {
  await agent();
  fixture.master.launch({ taskId: "climbs", spec: script("until [ -e /local/go ]; do sleep 0.02; done; /setuid-id") });
  await fixture.master.untilState("climbs", TASK_RUNNING);
  const work = `/proc/${started("climbs")}/root`;
  const program = join(work, "setuid-id");
  copyFileSync("/usr/bin/id", program);
  chmodSync(program, 0o4755);
  chmodSync(fixture.dataFolder, 0o711);
  const outside = join(fixture.dataFolder, "setuid-id");
  copyFileSync("/usr/bin/id", outside);
  chmodSync(outside, 0o4755);
  expect(execFileSync(outside, { uid: 65_534, gid: 65_534, encoding: "utf8" })).toContain("euid=0(root)");
  writeFileSync(join(work, "local", "go"), "");
  await fixture.master.untilState("climbs", TASK_FINISHED);
  expect(fixture.outputOf("climbs")).toMatch(/^uid=65534\(nobody\)/);
  expect(fixture.outputOf("climbs")).not.toContain("euid");
});

testExec("case 71: an exec task of root can make no raw socket, mount nothing and make no namespaces", async () => {
  const lines = await outputOf(
    `perl -e 'use Socket; print socket(my $s, PF_INET, SOCK_RAW, 1) ? "raw\\n" : "$!\\n"'
     mount -t tmpfs none /tmp 2>&1 | grep -ci -e denied -e permitted -e privilege
     unshare -m true 2>&1 | grep -c 'Operation not permitted'; unshare -r true 2>&1 | grep -c 'not permitted'
     mknod /tmp/disk b 254 0 2>&1 | grep -c 'not permitted'`,
    asRoot,
  );
  expect(lines).toEqual(["Operation not permitted", "1", "1", "1", "1"]);
});

testExec("an exec task is given the raw sockets that it asks for, and root loses what it gives up", async () => {
  const lines = await outputOf(
    `perl -e 'use Socket; print socket(my $s, PF_INET, SOCK_RAW, 1) ? "raw\\n" : "$!\\n"'
     chown nobody /tmp 2>/dev/null || echo refused`,
    { user: "root", driverConfigJson: '{"cap_add":["net_raw"],"cap_drop":["chown"]}' },
  );
  expect(lines).toEqual(["raw", "refused"]);
});

testExec("case 58: when the shim of an exec task dies, all of the task ends and the agent says so", async () => {
  await agent();
  fixture.master.launch({ taskId: "orphan", spec: script("(setsid sleep 1000 &) ; exec sleep 1000") });
  await fixture.master.untilState("orphan", TASK_RUNNING);
  const pid = started("orphan");
  const ticks = startTicks(pid) ?? 0;
  const parent = Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]);
  expect(readFileSync(`/proc/${parent}/cmdline`, "latin1")).toContain(`muster-shim ${fixture.dataFolder}`);
  process.kill(parent, "SIGKILL");
  await fixture.master.untilState("orphan", TASK_FAILED);
  expect(last("orphan").reason).toBe(REASON_SUPERVISOR_LOST);
  expect(isAlive(pid, ticks)).toBe(false);
});

testExec("an exec task in a network of its own sees loopback alone, and its own host name and files", async () => {
  await agent();
  const text =
    "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '; hostname; cat /etc/hostname; grep -c $(hostname) /etc/hosts";
  fixture.master.launch({ taskId: "alone", networkMode: "none", spec: script(text) });
  await fixture.master.untilState("alone", TASK_FINISHED);
  expect(fixture.outputOf("alone").trim().split("\n")).toEqual(["lo", "alone", "alone", "1"]);
});

testExec("a cgroup of a group that nobody knows is emptied and removed when the agent starts", async () => {
  const cgroups = new TaskCgroups(readLayout(), ownerOf(fixture.dataFolder));
  const ghost = spawn("sleep", ["1000"], { stdio: "ignore" });
  const ended = new Promise((resolve) => ghost.on("exit", (_code, signal) => resolve(signal)));
  for (const folder of cgroups.foldersOf("ghost-1.0")) {
    mkdirSync(folder, { recursive: true });
    if (!folder.includes("/cpuset/")) writeFileSync(`${folder}/cgroup.procs`, String(ghost.pid));
  }
  expect(cgroups.stats("ghost-1.0")).toMatchObject({ processCount: 1, memoryKills: 0 });
  await agent();
  expect(await ended).toBe("SIGKILL");
  await expect.poll(() => cgroups.ids()).toEqual([]);
});

testExec("what a running exec task uses is read from its cgroup", async () => {
  await agent();
  const cgroups = new TaskCgroups(readLayout(), ownerOf(fixture.dataFolder));
  const spec = script("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; sleep 1000; true");
  fixture.master.launch({ taskId: "uses", spec, resources: { cpuMillis: 250, memoryMiB: 48 } });
  await fixture.master.untilState("uses", TASK_RUNNING);
  await expect.poll(() => cgroups.stats(cgroups.ids()[0] ?? "")?.processCount).toBe(2);
  const stats = cgroups.stats(cgroups.ids()[0] ?? "");
  expect(stats?.memoryBytes).toBeLessThan(48 << 20);
  expect(stats?.cpuMicros).toBeGreaterThan(10_000);
});
