import { noResources } from "@muster/foundation";
import { guaranteesCanBeKept } from "@muster/master";
import { afflictionsOf, Inspector, Nemesis, SimCluster } from "@muster/testing";
import { greedyFramework, type Ruling, ruling } from "./greedy-roles.ts";

const phasesMs = { chaosBegins: 15_000, chaosEnds: 60_000, calm: 100_000, ends: 125_000 } as const;
export const agentCpuMillis = 4_000;

/** Roles of a tree that all want more than there is; one has hardly any weight, and lives by its guarantee. */
const roles = { ml: "eng/ml", web: "eng/web", sales: "sales", lab: "lab", ops: "ops" } as const;
const rulings: readonly Ruling[] = [
  { atMs: 2_000, role: "eng", limit: { cpuMillis: 2_500 } },
  { atMs: 3_000, role: "sales", guarantee: { cpuMillis: 4_000, memoryMiB: 2_048 } },
  { atMs: 4_000, role: "sales", weightMillis: 100 },
  { atMs: 30_000, role: "eng", limit: { cpuMillis: 1_000 } },
  { atMs: 55_000, role: "eng", limit: { cpuMillis: 3_000 } },
];

/** Frameworks in a tree of roles with quotas, which all want more than there is. */
export function runRoles(seed: number) {
  const cluster = new SimCluster({ seed: `quota-${seed}`, agents: 4, cpuMillis: agentCpuMillis, memoryMiB: 8_192 });
  const inspector = new Inspector(cluster);
  for (const [name, role] of Object.entries(roles))
    cluster.addProgram(name, "sdk-framework", (life) => greedyFramework(cluster.runtimeOf(life), name, role));
  const { world, links, hits, programs, store } = cluster;
  const hosts = new Map(cluster.agents.map((agent) => [agent.name, agent]));
  const nemesis = new Nemesis(world, afflictionsOf({ world, links, hits, programs, hosts, store }), hits);
  // Nothing befalls the operator, whose word is to be heard.
  cluster.addProgram("operator", "operator", (life) => {
    for (const each of rulings) ruling(cluster, life, each);
  });
  const held = new Map<string, number[]>();
  inspector.alsoCheck(() => {
    const view = world.nowMs < phasesMs.calm ? undefined : cluster.master.view();
    if (view === undefined) return [];
    for (const { role, allocated, offered } of view.roles) {
      const cpuMillis = (allocated ?? noResources).cpuMillis + (offered ?? noResources).cpuMillis;
      held.set(role, [...(held.get(role) ?? []), cpuMillis]);
    }
    return guaranteesCanBeKept(view);
  });
  cluster.start();
  inspector.start();
  world.after(undefined, phasesMs.chaosBegins, "chaos", () => nemesis.start());
  world.after(undefined, phasesMs.chaosEnds, "heal", () => nemesis.heal());
  world.run({ untilMs: phasesMs.ends });
  const mean = (role: string): number => {
    const all = held.get(role) ?? [];
    return all.reduce((sum, one) => sum + one, 0) / Math.max(1, all.length);
  };
  return { cluster, mean };
}
