import type { ProcSpec } from "@muster/executors";
import type { Job, TaskGroup } from "@muster/jobspecs";
import { expect } from "vitest";
import { testUnless } from "../e2e-root/machine.ts";
import { Lab, submission } from "../virtual/lab.ts";
import { compileFile, jobFiles, reason } from "./nomad-files.ts";

/** What is read, and can't be placed on any agent of ours. */
const unplaced: Readonly<Record<string, string>> = {
  "e2e/artifact/input/artifact_darwin.nomad": "it wants macOS: agents run on Linux",
  "e2e/artifact/input/artifact_windows.nomad": "it wants Windows: agents run on Linux",
  "e2e/dynamic_host_volumes/input/mount-created.nomad.hcl": "its host volume is made by an API call first",
  "e2e/dynamic_host_volumes/input/mount-registered.nomad.hcl": "its host volume is made known by an API call first",
  "e2e/dynamic_host_volumes/input/sticky.nomad.hcl": "its host volume is made by an API call first",
  "e2e/metrics/input/winagent.hcl": "it wants Windows: agents run on Linux",
  "demo/hostvolume/job.nomad.hcl": "its host volumes are made by plugins of Nomad first",
  "e2e/events/input/large-job.nomad": "it asks for 2 TB of memory, to see what is told of a job that has no place",
  "e2e/workload_id/input/api-win.nomad.hcl": "it wants Windows: agents run on Linux",
};

/** What this release refuses at its place, with a reason; drivers that it does not have among it. */
const refusals = ["schema/refused", "job/driver"];

/** What agents say whose hosts make no files from templates, as the simulated ones: it was placed there, and goes no further. */
const withoutTemplates = "this agent can make no files from templates";

/** What is refused otherwise than at its place by those codes, and why. */
const gaps: Readonly<Record<string, string>> = {
  "e2e/consultemplate/input/template_shared_alloc.nomad":
    "it names NOMAD_LOCAL_DIR, which no task has, as the place of an image's file",
};

/** Job files with mistakes of their own, which Nomad's servers refuse too: fixtures of its parser. */
const faulty = [
  "jobspec2/test-fixtures/restart-render-templates.hcl",
  "jobspec2/test-fixtures/template-err-missing-key.hcl",
  "jobspec2/test-fixtures/template-wait-config.hcl",
];

/** Job files that are placed: with every block that begins to work, more. */
const placedMin = 130;

/** Hosts of two data centres, half of them in each. */
const agentCount = 10;
const dataCentreOf = (index: number): string => `dc${1 + (index % 2)}`;

/** What the tasks of jobs do: those that come before or after end, all others go on. */
class Behaviours {
  #job: Job | undefined;

  begin(job: Job): void {
    this.#job = job;
  }

  of({ environment }: ProcSpec) {
    const group = this.#job?.groups.find(({ name }) => name === environment["MUSTER_GROUP_NAME"]);
    const task = group?.tasks.find(({ name }) => name === environment["MUSTER_TASK_NAME"]);
    const ends = task?.lifecycle !== undefined && !task.lifecycle.sidecar;
    return {
      runsForMs: ends ? 100 : undefined,
      exitCode: 0,
      isDeaf: false,
      listens: true,
      canStart: true,
      attaches: false,
    };
  }
}

function clusterFor(roles: readonly string[], behaviours: Behaviours): Lab {
  const lab = new Lab({
    agents: agentCount,
    cpuMillis: 8_000,
    memoryMiB: 16_384,
    roles,
    behave: (spec) => behaviours.of(spec),
    facts: (index) => ({
      attributes: Object.entries({
        "kernel.name": "linux",
        "cpu.arch": "amd64",
        "os.cgroups.version": "2",
        "node.datacenter": dataCentreOf(index),
        "meta.foo": "bar",
        "meta.empty": "",
      }).map(([name, value]) => ({ name, value })),
      drivers: ["process", "exec", "oci", "docker"],
      mayChangeUser: true,
      networkModes: ["host", "bridge", "none", "cni/test-loopback-conf", "cni/loopback"],
    }),
  });
  // Whether an image or an artifact can be had is no question of placement.
  for (const { images, artifacts } of lab.cluster.agents) images.mayFail = artifacts.mayFail = false;
  return lab.start();
}

/** What lives of a group: the places of its instances whose main tasks all run. */
function placesOf(lab: Lab, group: TaskGroup): { index: string; agent: string }[] {
  const mains = group.tasks.filter(({ lifecycle }) => lifecycle === undefined);
  const alive = lab.alive().filter(({ spec: { environment } }) => environment["MUSTER_GROUP_NAME"] === group.name);
  const places = new Map<string, { index: string; agent: string; names: Set<string> }>();
  for (const { agent, spec } of alive) {
    const { environment } = spec;
    const index = environment["MUSTER_ALLOC_INDEX"] ?? "";
    const place = places.get(`${agent} ${index}`) ?? { index, agent, names: new Set<string>() };
    place.names.add(environment["MUSTER_TASK_NAME"] ?? "");
    places.set(`${agent} ${index}`, place);
  }
  return [...places.values()].filter(({ names }) => mains.every(({ name }) => names.has(name)));
}

function isPlaced(lab: Lab, job: Job): boolean {
  return job.groups.every((group) => {
    const wanted =
      job.type === "system" || job.type === "sysbatch" ? agentCount * Math.min(group.count, 1) : group.count;
    return placesOf(lab, group).length === wanted;
  });
}

/** What is given to a job that runs when it is dispatched: as little as it asks for. */
function dispatchOf({ id, parameterized }: Job) {
  const meta = Object.fromEntries((parameterized?.metaRequired ?? []).map((name) => [name, "one"]));
  const payload = Buffer.from(parameterized?.payload === "required" ? "one" : "");
  return { name: id, payload, meta, idempotencyToken: "", idPrefix: "" };
}

/** "" if all of it runs, else why not. Nothing else lives meanwhile. */
function place(lab: Lab, job: Job, text: string): string {
  const names = [job.id];
  try {
    lab.call("Jobs.Run", submission(text, job));
    if (job.schedule) lab.call("Jobs.Force", { name: job.id });
    if (job.parameterized) names.push(lab.call("Jobs.Dispatch", dispatchOf(job)).name);
    lab.until(() => isPlaced(lab, job), 30_000, 50);
    return "";
  } catch (error) {
    const found = job.groups.map((group) => `${group.name} ${placesOf(lab, group).length} of ${group.count}`);
    const told = lab.tasks().flatMap(({ taskId, status }) => (taskId.startsWith(job.id) ? status?.message || [] : []));
    return [error instanceof Error ? error.message : error, ...found, ...told].join("; ").slice(0, 500);
  } finally {
    for (const name of names) stop(lab, name);
    lab.until(() => lab.alive().length === 0, 120_000, 100);
    // The next one may have the same name.
    lab.run(1_000);
  }
}

function stop(lab: Lab, name: string): void {
  try {
    lab.call("Jobs.Stop", { name, purge: true });
  } catch {
    // It was never accepted, or went with the job that it was dispatched from.
  }
}

testUnless(
  reason,
  "every job file of Nomad's repository that uses what there is here is placed, all of it",
  () => {
    const behaviours = new Behaviours();
    const roles = new Set(jobFiles.flatMap((file) => compileFile(file).job?.role ?? []));
    const lab = clusterFor([...roles], behaviours);
    const [agent] = lab.cluster.master.view()?.agents ?? [];
    const counts = { placed: 0, launched: 0, refused: 0, faulty: 0, unplaced: 0 };
    const wrong: string[] = [];
    for (const file of jobFiles) {
      const { job, diagnostics } = compileFile(file, { nodeID: agent?.agentId ?? "" });
      const errors = diagnostics.filter(({ severity }) => severity === "error");
      if (!job && faulty.includes(file.path)) counts.faulty++;
      else if (!job && gaps[file.path]) counts.refused++;
      else if (errors.some(({ code }) => refusals.includes(code))) counts.refused++;
      else if (!job) wrong.push(`${file.path}: ${errors.map(({ summary }) => summary).join("; ")}`);
      else {
        behaviours.begin(job);
        const why = place(lab, job, file.text);
        if (!why) counts.placed++;
        else if (why.includes(withoutTemplates)) counts.launched++;
        else if (unplaced[file.path]) counts.unplaced++;
        else wrong.push(`${file.path}: ${why}`);
      }
    }
    expect(wrong).toEqual([]);
    // What is refused becomes less.
    expect(counts).toMatchObject({ faulty: faulty.length, unplaced: Object.keys(unplaced).length });
    expect(counts.placed).toBeGreaterThanOrEqual(placedMin);
    expect(counts.placed + counts.launched + counts.refused + counts.faulty + counts.unplaced).toBe(jobFiles.length);
    console.info(
      Object.entries(counts)
        .map(([name, count]) => `${count} ${name}`)
        .join(", "),
    );
  },
  300_000,
);
