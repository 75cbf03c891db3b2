import { invalid, MusterError } from "@muster/framework-sdk";
import { decodeJob, hasOwnPorts, type Job, JobInvalid, mainTask, modeOfPort, type TaskGroup } from "@muster/jobspecs";
import { checkedTasks, needOf } from "./build.ts";
import { checkPorts } from "./checks.ts";
import type { JobVersionEntry, VersionRecord } from "./model.ts";

/** Versions that are kept beside the current one. Those that still have instances are kept beyond. */
export const versionsMax = 10;
/** Bytes of a definition with its source: what State holds in one entry, with room for the rest. */
export const definitionBytesMax = 240_000;
/** Instances of one group. */
export const countMax = 10_000;

export const jobTypes = ["service", "system"] as const;

/** The job of a definition. Throws `invalid` naming the field. */
export function readJob(definition: string): Job {
  try {
    return decodeJob(definition);
  } catch (error) {
    if (error instanceof JobInvalid) throw invalid(`job.definition.${error.field}`, error.reason);
    throw error;
  }
}

/** What this framework asks of a job beyond its form. Throws `invalid` or `unsupported`. */
export function checkJob(job: Job, roles: readonly string[]): void {
  if (job.type !== "service" && job.type !== "system")
    throw new MusterError("unsupported", `the services framework takes no ${job.type} jobs`, { field: "job.type" });
  if (!roles.includes(job.role))
    throw invalid(
      "job.role",
      `"${job.role}" is none of the roles that the services framework works for: ${roles.join(", ")}`,
    );
  for (const [index, group] of job.groups.entries()) checkGroup(group, `job.definition.groups[${index}]`, job);
}

function checkGroup(group: TaskGroup, path: string, job: Job): void {
  if (group.count > countMax) throw invalid(`${path}.count`, `must be at most ${countMax}`);
  if (job.type === "system" && group.count > 1) throw invalid(`${path}.count`, "must be at most 1 in a system job");
  for (const [index, service] of group.services.entries())
    checkPorts(service, group, mainTask(group), `${path}.services[${index}]`);
  for (const [taskIndex, task] of group.tasks.entries())
    for (const [index, service] of task.services.entries())
      checkPorts(service, group, taskIndex, `${path}.tasks[${taskIndex}].services[${index}]`);
  const { method } = group.update;
  if (method.kind === "surge" && method.minHealthyPercent === 100 && method.surgePercent === 0)
    throw invalid(
      `${path}.update.method`,
      "must leave an update a way on: it may neither stop one of 100 % healthy instances nor start one too many",
    );
}

/** Remarks on a job that is taken in all the same. */
export function jobWarnings(job: Job): string[] {
  return job.groups.flatMap(({ name, count, network }) => [
    ...network.ports
      .filter((port) => port.static !== undefined && count > 1 && !hasOwnPorts(modeOfPort(network, port)))
      .map(
        (port) =>
          `group ${name}: port ${port.static} is fixed, so each of its ${count} instances needs an agent of its own`,
      ),
    ...network.ports
      .filter(({ to = 0 }) => network.mode === "host" && to > 0)
      .map(
        ({ label, to }) =>
          `group ${name}: port ${label}: to = ${to} has no meaning in network mode host; listen on MUSTER_PORT_${label}, or use mode = "bridge"`,
      ),
  ]);
}

export function versionEntry(record: VersionRecord, job: Job = readJob(record.definition)): JobVersionEntry {
  return {
    record,
    job,
    templates: new Map(job.groups.map((group) => [group.name, templateOf(job, group)])),
    needs: new Map(job.groups.map((group) => [group.name, needOf(job, group)])),
    checked: new Map(job.groups.map((group) => [group.name, checkedTasks(group)])),
  };
}

/**
 * What of a group its running instances depend on. Counts, metadata and the policies for restarts and updates are left
 * out: they change in place.
 */
function templateOf(job: Job, group: TaskGroup): string {
  const { network, services, constraints, tasks, volumes } = group;
  return stableText({
    constraints: [...job.constraints, ...constraints],
    datacenters: job.datacenters,
    nodePool: job.nodePool,
    role: job.role,
    network,
    services,
    // A volume keeps the size that it was made with.
    volumes: volumes?.map((one) => (one.type === "muster" ? { ...one, sizeMiB: 0 } : one)),
    stopOnClientAfterMs: group.disconnect?.stopOnClientAfterMs,
    tasks: tasks.map(
      ({ meta: _meta, restart: _restart, shutdownDelayMs: _delay, affinities: _likes, ...rest }) => rest,
    ),
  });
}

/** Equal values give equal texts, whatever the order of their keys. */
function stableText(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => {
    if (typeof item !== "object" || item === null || Array.isArray(item)) return item;
    return Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** The same job with another count. Undefined: it has no such group. */
export function withCount(job: Job, groupName: string, count: number): Job | undefined {
  if (!job.groups.some((group) => group.name === groupName)) return undefined;
  return { ...job, groups: job.groups.map((group) => (group.name === groupName ? { ...group, count } : group)) };
}
