import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { DevCluster, type JobNow, processesOf } from "../e2e/dev-cluster.ts";
import { lacking, testUnless } from "../e2e-root/machine.ts";
import { jobFiles, reason } from "./nomad-files.ts";

const agentCount = 4;
/** How long jobs that were handed in together may take to come to it, on a busy machine. */
const waitMs = 90_000;

/** What a job comes to, in essence as the test that its file belongs to in Nomad expects it. */
interface Expected {
  readonly path: string;
  /** In words, for the message where it does not come to that. */
  readonly what: string;
  readonly isSo: (job: JobNow) => boolean;
  /** It shows in the instances, not in the job's line in the list. */
  readonly isOfInstances?: true;
  /** It is still so when all others have come to theirs. */
  readonly stays?: true;
  /** Values for variables without default. */
  readonly variables?: Readonly<Record<string, string>>;
}

const runs = (path: string, count = 1): Expected => ({
  path,
  what: `${count} run`,
  isSo: ({ running }) => running === count,
});
/** They run, and are healthy, as checks say where there are some. */
const healthy = (path: string, count = 1): Expected => ({
  path,
  what: `${count} healthy`,
  isSo: ({ running, healthy: well }) => running === count && well === count,
});
/** It runs, and a check that can't pass keeps it from being healthy, for as long as others take. */
const sick = (path: string): Expected => ({
  path,
  what: "runs, and is not healthy",
  isSo: ({ running, healthy: well }) => running === 1 && well === 0,
  stays: true,
});
const ends = (path: string, status: "complete" | "failed", variables = {}): Expected => ({
  path,
  what: status,
  isSo: (job) => job.status === status,
  variables,
});
/** Each instance fails, and is said to have. */
const fails = (path: string): Expected => ({
  path,
  what: "fails with an exit code",
  isOfInstances: true,
  isSo: ({ running, instances, message }) =>
    running === 0 &&
    [message, ...instances.map(({ reason: why }) => why)].some((text) => /exit code|exited/.test(text)),
});

const expected: readonly Expected[] = [
  runs("affinities/input/multiple_affinities.nomad", 4),
  runs("affinities/input/single_affinity.nomad", 5),
  // There such a run is complete: see docs/from-nomad.md.
  ends("batch_timeout/input/batch_timeout_basic.hcl", "failed"),
  ends("batch_timeout/input/batch_timeout_completes.hcl", "complete"),
  ends("batch_timeout/input/batch_timeout_poststop.hcl", "failed"),
  // Its check asks for a file that is not there: it is ended, and given up after three more tries.
  ends("clientstate/input/alloc_zombie.nomad", "failed"),
  runs("clientstate/restarter.nomad"),
  runs("clientstate/sleeper.nomad"),
  runs("consul/input/alloc_restart.hcl"),
  sick("consul/input/checks_group.nomad"),
  sick("consul/input/checks_group_update.nomad"),
  sick("consul/input/checks_task.nomad"),
  sick("consul/input/checks_task_update.nomad"),
  runs("consultemplate/input/nomad_provider_service.nomad"),
  ends("example/input/env.hcl", "complete"),
  runs("example/input/sleep.hcl"),
  runs("isolation/input/alloc_exec.hcl"),
  runs("isolation/input/cgroup_devices.hcl", 2),
  ends("isolation/input/chroot_exec.nomad", "complete"),
  ends("jobsubmissions/input/xyz.hcl", "complete", { X: "x", Y: "2", Z: "true" }),
  runs("namespaces/input/namespace_default.nomad"),
  ends("operator_scheduler/input/basic.nomad", "complete"),
  runs("overlap/testdata/overlap.nomad"),
  ends("rawexec/input/oomadj.hcl", "complete"),
  fails("rescheduling/input/norescheduling_service.nomad"),
  fails("rescheduling/input/norescheduling_system.nomad"),
  runs("rescheduling/input/rescheduling_canary.nomad", 3),
  runs("rescheduling/input/rescheduling_canary_autorevert.nomad", 3),
  fails("rescheduling/input/rescheduling_default.nomad"),
  fails("rescheduling/input/rescheduling_fail.nomad"),
  runs("rescheduling/input/rescheduling_maxp.nomad", 3),
  runs("rescheduling/input/rescheduling_maxp_autorevert.nomad", 3),
  runs("rescheduling/input/rescheduling_progressdeadline.nomad"),
  fails("rescheduling/input/rescheduling_progressdeadline_fail.nomad"),
  runs("rescheduling/input/rescheduling_success.nomad", 3),
  runs("rescheduling/input/rescheduling_update.nomad", 3),
  runs("scaling/input/namespace_default_1.nomad.hcl"),
  runs("scaling/input/namespace_default_2.nomad.hcl", 4),
  runs("scaling/input/namespace_default_3.nomad.hcl", 4),
  healthy("servicediscovery/input/checks_happy.nomad"),
  sick("servicediscovery/input/checks_sad.nomad"),
  runs("scheduler_system/input/system_canary_v0.nomad.hcl", agentCount),
  runs("servicediscovery/input/consul_provider.nomad"),
  runs("servicediscovery/input/multi_provider.nomad", 2),
  runs("servicediscovery/input/nomad_provider.nomad"),
  runs("servicediscovery/input/simple_lb_replicas.nomad", 3),
  runs("spread/input/even_spread.nomad", 6),
  runs("spread/input/multiple_spread.nomad", 10),
  ends("taskevents/input/completed_leader.nomad", "complete"),
  ends("taskevents/input/failed_batch.nomad", "failed"),
  fails("taskevents/input/failed_sibling.nomad"),
  ends("taskevents/input/simple_batch.nomad", "complete"),
];

/** Commands at once: each is a process of Node. */
const hands = 6;
const offset = 21_000;

/** Does it with all, so many at once. */
async function withAll<T>(items: Iterable<T>, act: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  await Promise.all(
    Array.from({ length: hands }, async () => {
      for (let item = left.shift(); item !== undefined; item = left.shift()) await act(item);
    }),
  );
}

const nameOf = ({ path }: Expected): string => /^\s*job "([^"]+)"/m.exec(textOf(path))?.[1] ?? "";
const textOf = (path: string): string => jobFiles.find((file) => file.path === `e2e/${path}`)?.text ?? "";

/** In order, but never two of one name together: the second would be a new version of the first. */
function waves(all: readonly Expected[]): Expected[][] {
  const made: Expected[][] = [];
  for (const one of all) {
    const wave = made.find((others) => others.every((other) => nameOf(other) !== nameOf(one)));
    if (wave) wave.push(one);
    else made.push([one]);
  }
  return made;
}

const lacks = reason || lacking("crun", "nft", "ip", "python3");
const cluster = lacks === "" ? new DevCluster(offset) : undefined;

beforeAll(async () => {
  await cluster?.start("--agents", String(agentCount), "--no-example");
}, 120_000);

afterAll(() => cluster?.remove(), 60_000);

async function submit(dev: DevCluster, { path, variables = {} }: Expected): Promise<string> {
  const file = join(dev.folder, path.replaceAll("/", "-"));
  writeFileSync(file, textOf(path));
  const given = Object.entries(variables).flatMap(([name, value]) => ["--var", `${name}=${value}`]);
  const { code, stderr } = await dev.muster("job", "run", "--detach", ...given, file);
  return code === 0 ? "" : `${path}: job run ended with ${code}: ${stderr}`;
}

/** Every job's line in the list. */
async function listed(dev: DevCluster): Promise<Map<string, JobNow>> {
  const jobs = await dev.json<(JobNow & { name: string })[]>("job", "list");
  return new Map(jobs.map((job) => [job.name, job]));
}

/** Those that have not come to what they are to come to in time, with what they are. */
async function awaitAll(dev: DevCluster, wave: readonly Expected[]): Promise<string[]> {
  const open = new Map(wave.map((one) => [nameOf(one), one]));
  const deadlineMs = Date.now() + waitMs;
  let found = new Map<string, JobNow>();
  while (open.size > 0 && Date.now() < deadlineMs) {
    found = await listed(dev);
    await withAll(open, async ([name, { isSo, isOfInstances }]) => {
      if (isOfInstances) found.set(name, await dev.job(name));
      const job = found.get(name);
      if (job && isSo(job)) open.delete(name);
    });
  }
  const last = await listed(dev);
  for (const one of wave) if (one.stays && !one.isSo(last.get(nameOf(one)) as JobNow)) open.set(nameOf(one), one);
  const fields = ["status", "running", "healthy", "message", "instances", "state", "reason"];
  return [...open].map(
    ([name, { path, what }]) => `${path}: not ${what}: ${JSON.stringify(found.get(name), fields)?.slice(0, 600)}`,
  );
}

testUnless(
  lacks,
  `${expected.length} job files of Nomad's own tests come to what they are to come to`,
  async () => {
    if (!cluster) return;
    const wrong: string[] = [];
    const all = waves(expected);
    for (const [index, wave] of all.entries()) {
      await withAll(wave, async (one) => void wrong.push(await submit(cluster, one)));
      wrong.push(...(await awaitAll(cluster, wave)));
      const next = new Set(all[index + 1]?.map(nameOf) ?? []);
      await withAll(wave, async (one) => {
        if (next.has(nameOf(one))) await cluster.muster("job", "stop", "--purge", "--yes", nameOf(one));
      });
    }
    expect(wrong.filter(Boolean)).toEqual([]);
    await cluster.stop();
    expect(processesOf(cluster.data)).toEqual([]);
  },
  600_000,
);
