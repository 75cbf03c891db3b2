import { afflictionsOf, Inspector, Nemesis, SimCluster } from "@muster/testing";
import { ruling } from "./greedy-roles.ts";
import { type ImportantTasks, importantTasks } from "./important-tasks.ts";
import { PreemptionWatch } from "./preemption-watch.ts";

const phasesMs = { chaosBegins: 15_000, chaosEnds: 90_000, settled: 130_000, ends: 560_000 } as const;
export const agentCpuMillis = 4_000;
export const agentCount = 3;

/** When half of everything is promised, and when it is not any more: then others fill it again. The last is a promise. */
const rulingsMs = Array.from({ length: 13 }, (_, index) => 8_000 + index * 40_000);
/** While news are counted the master dies again and again, some time after a promise: its budgets may be used up then. */
const failOversMs = rulingsMs
  .filter((atMs, index) => index % 2 === 0 && atMs > phasesMs.settled)
  .map((atMs) => atMs + 10_000);
const promised = (agentCpuMillis * agentCount) / 2;
const waves = (most: number, everyMs: number) => (nowMs: number) => (Math.floor(nowMs / everyMs) % 2 === 0 ? 0 : most);
const programs: readonly ImportantTasks[] = [
  { name: "filler", role: "lab", priority: 20, wanted: () => 16, preemptedMax: 3 },
  { name: "careful", role: "lab", priority: 30, wanted: () => 6, preemptedMax: 1 },
  { name: "equal", role: "ops", priority: 90, wanted: () => 2, preemptedMax: 2 },
  { name: "prod", role: "prod", priority: 70, wanted: waves(10, 20_000), preemptedMax: 2 },
  { name: "urgent", role: "prod", priority: 95, wanted: waves(4, 50_000), preemptedMax: 1 },
];

/** A role whose guarantee is given and taken back again and again, and others that are ended for it. */
export function runPreemption(seed: number) {
  const cluster = new SimCluster({ seed: `preemption-${seed}`, agents: agentCount, cpuMillis: agentCpuMillis });
  const inspector = new Inspector(cluster);
  for (const program of programs)
    cluster.addProgram(program.name, "sdk-framework", (life) => importantTasks(cluster.runtimeOf(life), program));
  const { world, links, hits, store } = cluster;
  const hosts = new Map(cluster.agents.map((agent) => [agent.name, agent]));
  const nemesis = new Nemesis(
    world,
    afflictionsOf({ world, links, hits, programs: cluster.programs, hosts, store }),
    hits,
  );
  cluster.addProgram("operator", "operator", (life) => {
    for (const [index, atMs] of rulingsMs.entries()) {
      const guarantee = index % 2 === 0 ? { cpuMillis: promised, memoryMiB: 4_096 } : {};
      ruling(cluster, life, { atMs, role: "prod", guarantee });
    }
  });
  const watch = new PreemptionWatch(programs, phasesMs.settled);
  inspector.onScheduling = (_from, message) => cluster.violations.add(watch.read(message, world.nowMs));
  const living = (name: string): number =>
    cluster.agents
      .flatMap(({ processes }) => processes.alive())
      .filter(({ spec }) => spec.environment["MUSTER_TASK_ID"]?.startsWith(`${name}-`)).length;
  cluster.start();
  inspector.start();
  world.after(undefined, phasesMs.chaosBegins, "chaos", () => nemesis.start());
  world.after(undefined, phasesMs.chaosEnds, "heal", () => nemesis.heal());
  for (const atMs of failOversMs) world.after(undefined, atMs, "fail-over", () => void cluster.master.program.crash());
  world.run({ untilMs: phasesMs.ends });
  return { cluster, preempted: (name: string) => watch.countOf(name), living };
}
