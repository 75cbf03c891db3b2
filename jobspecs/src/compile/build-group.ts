import { isIP } from "node:net";
import { didYouMean } from "../diagnostics/suggest.ts";
import {
  isNetworkMode,
  type JobType,
  type Network,
  type NetworkDns,
  type NetworkLimits,
  type NetworkPort,
  networkModes,
  type TaskGroup,
} from "../job/types.ts";
import { buildEnvironment } from "./build-environment.ts";
import { buildConstraints, buildReschedule, buildRestart, buildUpdate } from "./build-policies.ts";
import { buildServices } from "./build-services.ts";
import { buildTask } from "./build-task.ts";
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
  const count = block?.number("count") ?? 1;
  const isSystem = context.type === "system" || context.type === "sysbatch";
  if (isSystem && count > 1) {
    block?.error("count", {
      code: "job/system-count",
      summary: `a ${context.type} job runs once on each agent: count is 0 or 1`,
    });
  }
  const network = buildNetwork(block);
  const meta = { ...context.meta, ...block?.textMap("meta") };
  const env = { ...context.env, ...(block ? buildEnvironment(block) : {}) };
  const serviceName = context.groupCount === 1 ? context.jobId : `${context.jobId}-${name}`;
  const services = { defaultName: serviceName, network, taskNames: [] };
  const runMsMax = block?.number("max_run_duration");
  if (runMsMax !== undefined && context.type !== "batch" && context.type !== "sysbatch") {
    block?.error("max_run_duration", { code: "job/run-duration", summary: `a ${context.type} job runs without end` });
  }
  const reschedule = buildReschedule(block?.first("reschedule") ?? context.job.first("reschedule"), context.type);
  return {
    name,
    count,
    constraints: block ? buildConstraints(block) : [],
    network,
    services: block ? buildServices(block, { ...services, taskNames: tasks.map(({ label }) => label) }) : [],
    restart: buildRestart(block?.first("restart"), context.type),
    ...(reschedule ? { reschedule } : {}),
    update: buildUpdate(context.job.first("update"), block?.first("update")),
    shutdownDelayMs: block?.number("shutdown_delay") ?? 0,
    ...(runMsMax === undefined ? {} : { runMsMax }),
    meta,
    tasks: tasks.map((task) => buildTask(task, { type: context.type, meta, env, services })),
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

function refuseRoles(tasks: readonly DecodedBlock[]): void {
  if (tasks.length > 0 && tasks.every((task) => task.first("lifecycle")))
    tasks[0]?.error(undefined, {
      code: "job/lifecycle",
      summary: "a group needs a main task: one without lifecycle",
    });
  for (const task of tasks.filter((one) => one.bool("leader")).slice(1))
    task.error("leader", { code: "job/leader", summary: "a group has one leader" });
}

function buildNetwork(group: DecodedBlock | undefined): Network {
  const block = group?.first("network");
  if (!block) return { mode: "host", ports: [] };
  const text = block.text("mode") ?? "host";
  const mode = isNetworkMode(text) ? text : "host";
  if (mode !== text) {
    block.error("mode", {
      code: "job/network-mode",
      summary: `network mode "${text}" is not available in this release`,
      hint: didYouMean(text, networkModes) ?? 'use mode = "host", "bridge", "none", "cni/NAME" or "overlay/NAME"',
    });
  }
  const ports: NetworkPort[] = [];
  for (const port of block.all("port")) {
    if (!/^[A-Za-z0-9_-]{1,63}$/.test(port.label)) {
      port.error(undefined, { code: "job/bad-name", summary: `"${port.label}" can't be a port's label` });
    }
    const fixed = port.number("static");
    const to = port.number("to");
    const hostNetwork = hostNetworkOf(port);
    if (ports.some((other) => other.label === port.label)) {
      port.error(undefined, { code: "job/repeated", summary: `two ports are named "${port.label}"` });
    }
    const isTaken = (other: NetworkPort): boolean =>
      other.static === fixed && (!hostNetwork || !other.hostNetwork || hostNetwork === other.hostNetwork);
    if (fixed !== undefined && ports.some(isTaken)) {
      port.error("static", { code: "job/port-twice", summary: `port ${fixed} is asked for twice` });
    }
    ports.push({
      label: port.label,
      ...(fixed === undefined ? {} : { static: fixed }),
      ...(to === undefined ? {} : { to }),
      ...(hostNetwork === undefined ? {} : { hostNetwork }),
    });
  }
  if (mode === "none" && ports.length > 0) {
    block.error("mode", {
      code: "job/network-mode",
      summary: 'a group in network mode "none" can have no ports',
      hint: 'use mode = "bridge" for a network of its own with ports',
    });
  }
  const hostname = block.text("hostname");
  const dns = block.first("dns");
  const limits = block.first("limits");
  if (limits !== undefined && mode !== "bridge") {
    limits.error(undefined, {
      code: "job/network-limits",
      summary: `a group in network mode "${mode}" can have no limits of its network`,
      hint: 'use mode = "bridge"',
    });
  }
  return {
    mode,
    ...(hostname === undefined ? {} : { hostname }),
    ...(dns === undefined ? {} : { dns: buildDns(dns) }),
    ...(limits === undefined ? {} : { limits: buildLimits(limits) }),
    ports,
  };
}

/** "default" is every address, as where nothing is said. */
function hostNetworkOf(port: DecodedBlock): string | undefined {
  const name = port.text("host_network");
  if (name === undefined || name === "default") return undefined;
  if (!/^[A-Za-z0-9_-]{1,63}$/.test(name))
    port.error("host_network", { code: "job/bad-name", summary: `"${name}" can't be the name of a host network` });
  return name;
}

function buildLimits(block: DecodedBlock): NetworkLimits {
  const found = {
    downMbit: block.number("down_mbit"),
    upMbit: block.number("up_mbit"),
    connections: block.number("connections"),
    connectionsPerSecond: block.number("connections_per_second"),
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}

function buildDns(block: DecodedBlock): NetworkDns {
  const servers = block.texts("servers") ?? [];
  const wrong = servers.find((server) => isIP(server) === 0);
  if (wrong !== undefined) block.error("servers", { code: "job/bad-address", summary: `"${wrong}" is no address` });
  return { servers, searches: block.texts("searches") ?? [], options: block.texts("options") ?? [] };
}
