import { join } from "node:path";
import type { ChildSpec } from "./child.ts";
import type { Layout } from "./layout.ts";

/** In which order components are ended: whoever starts tasks first, whoever is asked about them last. */
export const stopOrder = ["framework", "agent", "master", "dns", "edge"] as const;
export type Role = (typeof stopOrder)[number];

export interface Planned extends ChildSpec {
  readonly role: Role;
}

export interface PlanOptions {
  /** Absolute path of the cluster's folder. */
  readonly folder: string;
  readonly layout: Layout;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export const dnsDomain = "muster";
export const frameworkNames = ["services", "cron"] as const;

/** SIGKILL follows SIGTERM after so long. One after the other they must end within six seconds. */
const stopTimeoutsMs: Readonly<Record<Role, number>> = {
  framework: 700,
  agent: 3_600,
  master: 600,
  dns: 300,
  edge: 300,
};
/** What tasks get to end; the agent needs a little more for its records. */
const taskGraceMs = 2_500;

/**
 * Flags of Node for every component: a young generation of 1 MiB instead of 16 and one helper thread instead of four keep
 * a cluster at rest small; the bound on the old generation is far above what a cluster on one machine needs.
 */
const nodeFlags: readonly string[] = ["--max-semi-space-size=1", "--max-old-space-size=512", "--v8-pool-size=1"];

/** Every component of a cluster on one machine, with what it is started with. */
export function planChildren({ folder, layout, environment }: PlanOptions): Planned[] {
  const childEnvironment = {
    ...environment,
    MUSTER_DATA_DIR: folder,
    // glibc makes an arena per thread, of which each holds on to what it once had.
    MALLOC_ARENA_MAX: "2",
    // On a machine of one's own, what a task may fetch is what it may ask for itself.
    MUSTER_ARTIFACT_NETWORKS: environment["MUSTER_ARTIFACT_NETWORKS"] ?? "127.0.0.0/8,::1/128",
    UV_THREADPOOL_SIZE: environment["UV_THREADPOOL_SIZE"] ?? "2",
  };
  const plan = (name: string, role: Role, daemon: string, args: readonly string[]): Planned => ({
    name,
    role,
    args: ["daemon", daemon, ...args],
    nodeFlags,
    environment: childEnvironment,
    logFile: join(folder, "logs", `${name}.log`),
    stopTimeoutMs: stopTimeoutsMs[role],
  });
  const master = ["--master", layout.master];
  return [
    plan("master", "master", "master", ["--data-dir", join(folder, "master"), "--listen", layout.master]),
    ...layout.agents.map((agent) =>
      plan(agent.name, "agent", "agent", [
        ...["--data-dir", join(folder, "agents", agent.name), "--listen", agent.address, ...master],
        ...["--name", agent.name, "--ip", "127.0.0.1"],
        ...["--task-port-first", String(agent.taskPortFirst), "--task-port-last", String(agent.taskPortLast)],
        ...["--bridge-subnet", agent.bridgeSubnet, "--bridge-subnet6", agent.bridgeSubnet6],
        ...["--shutdown-grace-ms", String(taskGraceMs)],
      ]),
    ),
    ...frameworkNames.map((name) => plan(name, "framework", name, master)),
    plan("dns", "dns", "dns", [...master, "--listen", layout.dns, "--http", layout.dnsHttp, "--domain", dnsDomain]),
    plan("edge", "edge", "edge", [...master, "--listen", layout.edge, "--dns-http", layout.dnsHttp]),
  ];
}
