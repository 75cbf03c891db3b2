import { type NetworkedTask, problemOfTaskNetwork } from "../job/task-networks.ts";
import type { JobType, TaskGroup } from "../job/types.ts";
import { ownVolumes } from "../job/volumes.ts";
import { buildDependencies } from "./build-dependencies.ts";
import { buildDisconnect } from "./build-disconnect.ts";
import { buildDisk, withGroupDisk } from "./build-disk.ts";
import { buildEnvironment } from "./build-environment.ts";
import { buildNetwork } from "./build-network.ts";
import { buildConstraints, buildMigrate, buildReschedule, buildRestart, buildUpdate } from "./build-policies.ts";
import { buildPreferences, isEverywhere, refusePreferences } from "./build-preferences.ts";
import { buildServices } from "./build-services.ts";
import { buildTask } from "./build-task.ts";
import { buildVolumes } from "./build-volumes.ts";
import type { DecodedBlock } from "./decoded.ts";

export interface GroupContext {
  readonly jobId: string;
  readonly type: JobType;
  readonly meta: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  readonly job: DecodedBlock;
  readonly groupCount: number;
}

/** A group; without a block of its own it is made around one task of the job, and has the task's name. */
export function buildGroup(
  block: DecodedBlock | undefined,
  tasks: readonly DecodedBlock[],
  context: GroupContext,
): TaskGroup {
  const name = block?.label ?? tasks[0]?.label ?? "";
  const place = block ?? tasks[0];
  refuseBadName(place, name, "group");
  if (tasks.length === 0) {
    block?.error(undefined, { code: "job/no-tasks", summary: `group "${name}" has no task` });
  }
  refuseTaskNames(tasks);
  refuseRoles(tasks);
  refuseTaskNetworks(tasks);
  const count = block?.number("count") ?? 1;
  const isSystem = isEverywhere(context.type);
  if (isSystem) refusePreferences(context.type, [...(block ? [block] : []), ...tasks]);
  if (isSystem && count > 1) {
    block?.error("count", {
      code: "job/system-count",
      summary: `a ${context.type} job runs once on each agent: count is 0 or 1`,
    });
  }
  const network = buildNetwork(block, tasks);
  const meta = { ...context.meta, ...block?.textMap("meta") };
  const env = { ...context.env, ...(block ? buildEnvironment(block) : {}) };
  const serviceName = context.groupCount === 1 ? context.jobId : `${context.jobId}-${name}`;
  const services = { defaultName: serviceName, network, taskNames: [] };
  const runMsMax = block?.number("max_run_duration");
  if (runMsMax !== undefined && context.type !== "batch" && context.type !== "sysbatch") {
    block?.error("max_run_duration", { code: "job/run-duration", summary: `a ${context.type} job runs without end` });
  }
  const reschedule = buildReschedule(block?.first("reschedule") ?? context.job.first("reschedule"), context.type);
  const disconnect = block && buildDisconnect(block, context.type);
  const update = buildUpdate(context.job.first("update"), block?.first("update"), context.type);
  const volumes = buildVolumes(block, tasks, context.type);
  if (update.canaryCount > 0 && ownVolumes(volumes).length > 0) {
    const own = block?.first("update");
    (own?.has("canary") ? own : context.job.first("update"))?.error("canary", {
      code: "job/volume",
      summary: '"canary": an instance with a volume of type muster has none beside it, for the volume has one user',
      hint: "leave it out: max_parallel says how many are replaced at a time",
    });
  }
  const migrate = buildMigrate(context.job.first("migrate"), block?.first("migrate"), context.type);
  return {
    name,
    count,
    constraints: block ? buildConstraints(block) : [],
    ...(block ? buildPreferences(block) : {}),
    ...(block ? buildDependencies(block, context) : {}),
    network,
    services: block ? buildServices(block, { ...services, taskNames: tasks.map(({ label }) => label) }) : [],
    restart: buildRestart(block?.first("restart"), context.type),
    ...(reschedule ? { reschedule } : {}),
    update,
    ...(migrate ? { migrate } : {}),
    ...volumes,
    ...buildDisk(block, context.type),
    ...(disconnect ? { disconnect } : {}),
    shutdownDelayMs: block?.number("shutdown_delay") ?? 0,
    ...(runMsMax === undefined ? {} : { runMsMax }),
    meta,
    tasks: withGroupDisk(
      block,
      tasks.map((task) => buildTask(task, { type: context.type, meta, env, services })),
    ),
  };
}

/** Names become parts of task ids, which hold no slash and at most 255 bytes. */
export function refuseBadName(place: DecodedBlock | undefined, name: string, what: string): void {
  if (/^[\x21-\x7e]{1,63}$/.test(name) && !name.includes("/")) return;
  place?.error(undefined, {
    code: "job/bad-name",
    summary: `"${name}" can't be a ${what}'s name`,
    detail: "A name has 1 to 63 visible ASCII characters, without spaces and slashes.",
  });
}

function refuseTaskNames(tasks: readonly DecodedBlock[]): void {
  const seen = new Set<string>();
  for (const task of tasks) {
    if (seen.has(task.label)) {
      task.error(undefined, { code: "job/repeated", summary: `two tasks are named "${task.label}"` });
    }
    seen.add(task.label);
  }
}

/** Who has another task's network names one of its group, and not in a circle. */
function refuseTaskNetworks(tasks: readonly DecodedBlock[]): void {
  const networked = tasks.map((task): NetworkedTask => {
    const mode = task.first("network")?.text("mode");
    return { name: task.label, ...(mode === undefined ? {} : { network: { mode } }) };
  });
  for (const [index, task] of tasks.entries()) {
    const summary = problemOfTaskNetwork(networked, index);
    if (summary !== "") task.first("network")?.error("mode", { code: "job/task-network", summary });
  }
}

function refuseRoles(tasks: readonly DecodedBlock[]): void {
  if (tasks.length > 0 && tasks.every((task) => task.first("lifecycle")))
    tasks[0]?.error(undefined, {
      code: "job/lifecycle",
      summary: "a group needs a main task: one without lifecycle",
    });
  for (const task of tasks.filter((one) => one.bool("leader")).slice(1))
    task.error("leader", { code: "job/leader", summary: "a group has one leader" });
}
