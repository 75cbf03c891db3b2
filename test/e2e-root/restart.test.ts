import { spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { RestartMode, StatusReason, type TaskSpec, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { readLayout } from "../../executors/src/cgroups/layout.ts";
import { TaskCgroups } from "../../executors/src/cgroups/task-cgroups.ts";
import { ownerOf } from "../../executors/src/networks/kernel/namespaces.ts";
import { leavesNothing, modes, pinsOf, settings, statusOf } from "./bridge.support.ts";
import { containersHere } from "./containers.ts";
import { testUnless, testWith } from "./machine.ts";

const { host, reason: lack } = await containersHere();
leavesNothing(afterEach, () => fixture);
const fixture = AgentFixture.use(beforeEach, afterEach);
const { TASK_RUNNING, TASK_FINISHED } = TaskState;
const dns = { hostname: "", dnsServers: ["203.0.113.7"], dnsSearches: ["inside.example"], dnsOptions: [] };

/** Prints what its `words` print at each of its two starts; the first attempt fails once its folder holds "go". */
function twice(words: string): Partial<TaskSpec> {
  const mode = RestartMode.RESTART_MODE_FAIL;
  return {
    command: "sh",
    arguments: ["-c", `${words}; [ -e local/again ] && exec sleep 300; touch local/again; sleep 0.3; exit 3`],
    restartPolicy: { attempts: 2, intervalMs: 60_000, delayMs: 500, mode, afterSuccess: false },
  };
}

function runsAgain(taskId: string): boolean {
  const status = statusOf(fixture, taskId);
  return status?.state === TASK_RUNNING && status.restartCount === 1;
}

testWith(
  ["ip", "nft"],
  "case 30: the first task of a group restarts: the namespace stays, the others run on",
  async () => {
    await fixture.agentWithNets(modes, {}, settings);
    const inode = "readlink /proc/self/ns/net";
    const other = { command: "sh", arguments: ["-c", `${inode}; exec sleep 300`] };
    fixture.master.launch({
      taskId: "first",
      networkMode: "bridge",
      spec: twice(inode),
      others: [{ taskId: "second", spec: other }],
    });
    await fixture.master.until(() => runsAgain("first"), "another start");
    await expect.poll(() => fixture.outputOf("first").trim().split("\n")).toHaveLength(2);
    const seen = new Set([...fixture.outputOf("first").trim().split("\n"), fixture.outputOf("second").trim()]);
    expect(seen).toHaveLength(1);
    expect(pinsOf(fixture.dataFolder)).toHaveLength(1);
    expect(fixture.master.of("second").at(-1)?.state).toBe(TASK_RUNNING);
    const runs = fixture.master.of("first").filter(({ state }) => state === TASK_RUNNING);
    expect(new Set(runs.map(({ container }) => container?.ips[0]))).toHaveLength(1);
  },
);

testWith(
  ["ip", "nft"],
  "case 34: the agent is restarted, then the task restarts: its resolv.conf is unchanged",
  async () => {
    const first = await fixture.agentWithNets(modes, {}, settings);
    fixture.master.launch({ taskId: "dns", networkMode: "bridge", network: dns, spec: twice("cat /etc/resolv.conf") });
    await fixture.master.until(() => statusOf(fixture, "dns")?.nextTryAt !== undefined, "a plan");
    await fixture.stop(first, "leave");
    await fixture.agentWithNets(modes, {}, settings);
    await fixture.master.until(() => runsAgain("dns"), "another start");
    const file = "nameserver 203.0.113.7\nsearch inside.example\n";
    await expect.poll(() => fixture.outputOf("dns").replace(/^#.*\n/gm, "")).toBe(file.repeat(2));
  },
);

testUnless(host ? "" : lack, "a container is made anew for each attempt, in the task's folders", async () => {
  if (host) await fixture.agentWithContainers(host);
  const words = "hostname; [ -e /local/again ] && exit 0; touch /local/again; exit 3";
  fixture.master.launch({ taskId: "boxed", spec: { ...twice(""), driver: "exec", arguments: ["-c", words] } });
  await fixture.master.untilState("boxed", TASK_FINISHED);
  const told = fixture.master.of("boxed").find(({ reason }) => reason === StatusReason.REASON_RESTARTING);
  expect(told).toMatchObject({ exitCode: 3, restartCount: 1 });
  expect(fixture.outputOf("boxed").trim().split("\n")).toHaveLength(2);
});

testUnless(
  host ? "" : lack,
  "a control group that no task owns is emptied and removed while the agent runs",
  async () => {
    if (host) await fixture.agentWithContainers(host, ["host"], {}, { sweepMs: 200 });
    fixture.master.launch({ taskId: "own", spec: { driver: "exec", command: "sleep", arguments: ["300"] } });
    await fixture.master.untilState("own", TASK_RUNNING);
    const cgroups = new TaskCgroups(readLayout(), ownerOf(fixture.dataFolder));
    const stray = spawn("sleep", ["300"], { stdio: "ignore" });
    const ended = new Promise((resolve) => stray.on("exit", (_code, signal) => resolve(signal)));
    const folders = cgroups.foldersOf("ghost-1.0");
    // Those of cpusets take no process before they have processors.
    const usable = folders.filter((folder) => !/cpuset/.test(folder));
    for (const folder of usable) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(`${folder}/cgroup.procs`, String(stray.pid));
    }
    expect(await ended).toBe("SIGKILL");
    await expect.poll(() => usable.filter((folder) => existsSync(folder)), { timeout: 5_000 }).toEqual([]);
    expect(fixture.master.of("own").at(-1)?.state).toBe(TASK_RUNNING);
  },
);
