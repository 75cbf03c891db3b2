import { JobState, JobVolumeState } from "@muster/proto";
import { expect, test } from "vitest";
import { Lab, service } from "../virtual/lab.ts";

const volume = 'volume "data" {\n type = "muster"\n size = 200\n }';
const mount = 'volume_mount {\n volume = "data"\n destination = "/data"\n }';
const db = (count: number, version = 1) =>
  service("db", { count, group: volume, task: `${mount}\n env {\n VERSION = "${version}"\n }` });

const hourMs = 3_600_000;

function started(count: number, agents = 3): Lab {
  const lab = new Lab({ agents, frameworks: ["services"] }).start();
  lab.submit(db(count));
  isHealthy(lab, count);
  return lab;
}

const jobOf = (lab: Lab) => {
  const { job } = lab.call("Jobs.Get", { name: "db" });
  if (!job?.summary) throw new Error("a job has a summary");
  return { ...job, summary: job.summary };
};

function isHealthy(lab: Lab, count: number): void {
  lab.until(() => jobOf(lab).summary.healthy === count, 120_000, 500);
}

/** Volumes on the disks of the agents. */
const onDisk = (lab: Lab) => lab.cluster.agents.flatMap((host) => [...host.volumes.here]).sort();

/** The volume of each living command. */
const inUse = (lab: Lab) =>
  lab
    .alive()
    .flatMap(({ spec }) => (spec.volumes ?? []).map(({ folder }) => folder.slice(folder.lastIndexOf("/") + 1)))
    .sort();

const reserved = (lab: Lab) =>
  (lab.cluster.master.view()?.agents ?? []).flatMap(({ reservations }) =>
    reservations.map(({ role, resources }) => `${role} ${resources?.diskMiB}`),
  );

test("case 35: an agent with a volume is gone for a day: no replacement, and the status names what is waited for", () => {
  const lab = started(1);
  const [home] = lab.alive();
  const host = lab.cluster.agents.find(({ name }) => name === home?.agent);
  if (!home || !host) throw new Error("it runs somewhere");
  const { volumes } = jobOf(lab);
  lab.cut([host.name], ["master"]);
  lab.run(24 * hourMs);
  expect(lab.alive().map(({ agent }) => agent)).toEqual([host.name]);
  expect(jobOf(lab).message).toContain(
    `db.g.0 waits for its volume "data" (${volumes[0]?.volumeId}) on agent ${volumes[0]?.agentName}, which is out of reach`,
  );
  lab.heal([host.name], ["master"]);
  isHealthy(lab, 1);
  expect(jobOf(lab).message).toBe("");
  expect(jobOf(lab).volumes).toEqual(volumes);
  expect(onDisk(lab)).toEqual([volumes[0]?.volumeId]);
});

test("case 36: from 3 to 2 to 3 the same volume is used again, and wiped it is freed", () => {
  const lab = started(3);
  const all = onDisk(lab);
  expect(all).toHaveLength(3);
  expect(inUse(lab)).toEqual(all);
  expect(reserved(lab)).toEqual(["default 200", "default 200", "default 200"]);
  lab.call("Jobs.Scale", { name: "db", count: 2 });
  lab.until(() => lab.alive().length === 2);
  lab.run(60_000);
  expect(onDisk(lab)).toEqual(all);
  expect(jobOf(lab).volumes.map(({ state }) => state)).toContain(JobVolumeState.JOB_VOLUME_STATE_KEPT);
  lab.call("Jobs.Scale", { name: "db", count: 3 });
  isHealthy(lab, 3);
  expect(inUse(lab)).toEqual(all);
  lab.call("Jobs.Scale", { name: "db", count: 2, wipe: true });
  lab.until(() => onDisk(lab).length === 2 && reserved(lab).length === 2);
  isHealthy(lab, 2);
  expect(inUse(lab)).toEqual(onDisk(lab));
});

test("an update ends each instance before its successor takes the volume; a stop keeps it, and a wipe removes it", () => {
  const lab = started(2);
  const all = onDisk(lab);
  lab.submit(db(2, 2));
  lab.until(() => jobOf(lab).summary.updated === 2, 120_000, 500);
  expect(inUse(lab)).toEqual(all);
  lab.call("Jobs.Stop", { name: "db" });
  lab.until(() => lab.alive().length === 0);
  lab.run(60_000);
  expect(onDisk(lab)).toEqual(all);
  lab.submit(db(2, 3));
  isHealthy(lab, 2);
  expect(inUse(lab)).toEqual(all);
  lab.call("Jobs.Stop", { name: "db", wipe: true });
  lab.until(() => onDisk(lab).length === 0 && reserved(lab).length === 0);
  expect(jobOf(lab)).toMatchObject({ volumes: [], summary: { state: JobState.JOB_STATE_STOPPED } });
});

test("a purge frees what a job had, also while it runs", () => {
  const lab = started(2);
  lab.call("Jobs.Stop", { name: "db", purge: true });
  lab.until(() => onDisk(lab).length === 0 && reserved(lab).length === 0);
  expect(lab.call("Jobs.List", {}).jobs).toEqual([]);
});

test("master, agent and framework start again: every instance comes back to its volume", () => {
  const lab = started(3);
  const all = onDisk(lab);
  lab.cluster.master.program.crash("killed", 2_000);
  lab.services?.crash("killed", 3_000);
  lab.run(5_000);
  isHealthy(lab, 3);
  for (const host of lab.cluster.agents) host.reboot(2_000);
  lab.run(10_000);
  isHealthy(lab, 3);
  expect(inUse(lab)).toEqual(all);
  expect(onDisk(lab)).toEqual(all);
});

test("instances with sticky disks take over the files of those before them, each of its own place and agent", () => {
  const lab = new Lab({ agents: 3, frameworks: ["services"] }).start();
  const sticky = (version: number) =>
    service("web", {
      count: 3,
      group: "ephemeral_disk {\n sticky = true\n size = 10\n }",
      task: `env {\n VERSION = "${version}"\n }`,
    });
  const foldersOf = () =>
    new Map(lab.alive().map(({ agent, spec, taskId }) => [taskId.replace(/-[^-]*$/, ""), `${agent} ${spec.id}`]));
  const updated = () => lab.call("Jobs.Get", { name: "web" }).job?.summary?.updated;
  lab.submit(sticky(1));
  lab.until(() => updated() === 3, 120_000, 500);
  const agents = () =>
    lab
      .alive()
      .map(({ agent, taskId }) => `${agent} ${taskId.split(".")[2]}`)
      .sort();
  const before = agents();
  const folders = foldersOf();
  lab.submit(sticky(2));
  lab.until(() => updated() === 3, 120_000, 500);
  expect(agents()).toEqual(before);
  const taken = lab.cluster.agents.flatMap((host) =>
    host.groupFiles.taken.map(({ from }) => `${host.name} ${/tasks\/([^/]+)\//.exec(from)?.[1]}`),
  );
  const left = [...folders.values()].map((text) => text.replace(/\.\d+$/, ""));
  expect(new Set(taken)).toEqual(new Set(left));
  expect(taken).toHaveLength(6);
});

test("with migrate instances that leave a drained agent find copies of their files on the others", () => {
  const lab = new Lab({ agents: 3, frameworks: ["services"] }).start();
  lab.submit(service("web", { count: 3, group: "ephemeral_disk {\n sticky = true\n migrate = true\n size = 10\n }" }));
  const healthy = () => lab.call("Jobs.Get", { name: "web" }).job?.summary?.healthy;
  lab.until(() => healthy() === 3, 120_000, 500);
  const [leaving] = lab.alive();
  const { agents } = lab.call("Operator.ListAgents", {});
  const agentId = agents.find(({ name }) => name === leaving?.agent)?.agentId ?? "";
  const count = lab.alive().filter(({ agent }) => agent === leaving?.agent).length;
  lab.call("Operator.Drain", { agentId, deadlineMs: 600_000 });
  lab.until(() => lab.alive().every(({ agent }) => agent !== leaving?.agent) && healthy() === 3, 120_000, 500);
  const copies = lab.cluster.agents
    .filter(({ name }) => name !== leaving?.agent)
    .flatMap(({ groupFiles }) => groupFiles.taken.map(({ from }) => from));
  expect(copies).toHaveLength(2 * count);
  for (const from of copies) expect(from).toMatch(new RegExp(`^/var/lib/muster/${leaving?.agent}/tasks/`));
});
