import { createCron } from "@muster/cron";
import { createServices } from "@muster/services";
import { afflictionsOf, type Inspector, masterAddress, Nemesis, type SimCluster } from "@muster/testing";
import { placeOrders } from "./jobs.ts";

/**
 * Starts a cluster in which jobs of services and cron run beside what was added before, and lets everything go wrong
 * between the two virtual times. The caller runs the world.
 */
export function startBesideJobs(
  cluster: SimCluster,
  inspector: Inspector,
  { chaosBegins, chaosEnds }: { readonly chaosBegins: number; readonly chaosEnds: number },
): void {
  cluster.addProgram("services", "services", (life) => {
    createServices(cluster.runtimeOf(life), { address: masterAddress }).start();
  });
  cluster.addProgram("cron", "cron", (life) => createCron(cluster.runtimeOf(life), { address: masterAddress }).start());
  const { world, links, hits, programs, store } = cluster;
  const hosts = new Map(cluster.agents.map((agent) => [agent.name, agent]));
  const nemesis = new Nemesis(world, afflictionsOf({ world, links, hits, programs, hosts, store }), hits);
  cluster.start();
  placeOrders(cluster);
  inspector.start();
  world.after(undefined, chaosBegins, "chaos", () => nemesis.start());
  world.after(undefined, chaosEnds, "heal", () => nemesis.heal());
}
