import type { Random } from "@muster/foundation";
import type { Job } from "@muster/jobspecs";
import { DeploymentState } from "@muster/proto";
import { createServices, type Services } from "@muster/services";
import { afflictionsOf, Inspector, masterAddress, Nemesis, SimCluster, violation, WorldError } from "@muster/testing";
import { compiledJob } from "../../../frameworks/services/src/core/core.test.support.ts";
import { type Order, placeOrders } from "../jobs.ts";
import type { SeedReport } from "../report.ts";
import { DeploymentWatch } from "./deployment-watch.ts";

/** What happens when, in virtual time. */
const phasesMs = { chaosBegins: 20_000, ordersEnd: 150_000, chaosEnds: 180_000, ends: 420_000 } as const;
/** How often a version comes, and how often somebody asks how the jobs are. */
const orderEveryMs = 22_000;
const askEveryMs = 5_000;

/** Each job has promises of its own. */
const updates: Readonly<Record<string, { readonly count: number; readonly update: string }>> = {
  strict: { count: 4, update: "min_healthy_percent = 75\n surge_percent = 25\n auto_revert = true" },
  tight: { count: 3, update: "min_healthy_percent = 60\n surge_percent = 0" },
  steps: { count: 3, update: "max_parallel = 1\n auto_revert = true" },
  canaried: { count: 3, update: "max_parallel = 1\n canary = 1\n auto_promote = true\n auto_revert = true" },
};

/** Ten kinds of faults, four jobs, a new version of one of them every few seconds, some of them broken. */
export function runDeployments(seed: number): SeedReport {
  const cluster = new SimCluster({
    seed: `deployments-${seed}`,
    agents: 3,
    master: { pingIntervalMs: 3_000, pingsMissedMax: 3, heartbeatIntervalMs: 5_000, awaitedTimeoutMs: 12_000 },
  });
  const { world, links, hits, store, violations } = cluster;
  const inspector = new Inspector(cluster);
  const watch = new DeploymentWatch();
  cluster.addProgram("services", "services", (life) => {
    const runtime = cluster.runtimeOf(life);
    let services: Services | undefined;
    const transport = watch.readAlong(
      runtime.transport,
      () => services?.state,
      (found) => violations.add(found),
    );
    services = createServices({ ...runtime, transport }, { address: masterAddress });
    services.start();
  });
  const hosts = new Map(cluster.agents.map((agent) => [agent.name, agent]));
  const faults = afflictionsOf({ world, links, hits, programs: cluster.programs, hosts, store });
  const options = { pauseMs: { first: 2_000, last: 10_000 }, lastsMsMax: 20_000, kindRate: 0.4 };
  const nemesis = new Nemesis(world, faults, hits, options);
  cluster.start();
  placeOrders(cluster, drawOrders(world.random("orders")));
  inspector.start();
  world.after(undefined, phasesMs.chaosBegins, "chaos", () => nemesis.start());
  world.after(undefined, phasesMs.chaosEnds, "heal", () => nemesis.heal());
  askAgainAndAgain(cluster, watch);
  try {
    cluster.run(phasesMs.ends);
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    violations.add([violation("bug", error.who, String((error.cause as Error)?.stack ?? error.message))]);
  }
  return {
    workload: "deployments",
    seed,
    digest: world.trace.digest(),
    violations: violations.all,
    hits: [...hits.entries()],
    kinds: nemesis.kinds,
    history: nemesis.history,
    startCount: inspector.startCount,
    eventCount: world.trace.count,
    virtualMs: world.nowMs,
  };
}

/** First versions of all, then one change after another; of each job the last one works. */
function drawOrders(random: Random): Order[] {
  const names = Object.keys(updates);
  const orders = names.map((name, index) => ({ atMs: 1_000 + 500 * index, job: version(name, 20, true) }));
  let cpu = 20;
  for (let atMs: number = phasesMs.chaosBegins; atMs < phasesMs.ordersEnd; atMs += orderEveryMs) {
    const name = names[Math.floor(random.next() * names.length)] ?? "";
    orders.push({
      atMs: atMs + Math.floor(random.next() * orderEveryMs),
      job: version(name, ++cpu, random.next() < 0.7),
    });
  }
  for (const [index, name] of names.entries())
    orders.push({ atMs: phasesMs.chaosEnds + 1_000 + 500 * index, job: version(name, ++cpu, true) });
  return orders;
}

/** Another number is another version; one that does not listen never passes its check. */
function version(name: string, cpu: number, listens: boolean): Job {
  const { count = 1, update = "" } = updates[name] ?? {};
  const text = `job "${name}" {
  group "g" {
    count = ${count}
    update {
      min_healthy_time  = "2s"
      healthy_deadline  = "15s"
      progress_deadline = "40s"
      ${update}
    }
    restart {
      attempts = 1000
      interval = "1h"
      delay    = "2s"
      mode     = "delay"
    }
    network {
      port "http" {}
    }
    service {
      port = "http"
      check {
        type     = "tcp"
        interval = "2s"
        timeout  = "1s"
      }
    }
    task "t" {
      driver = "process"
      config {
        command = "work"
        args    = ${JSON.stringify(listens ? ["serve", "listen"] : ["serve"])}
      }
      resources {
        cpu    = ${cpu}
        memory = 32
      }
    }
  }
}`;
  return compiledJob(text);
}

/** Somebody follows how the jobs are, and in the end wants every last version rolled out, or a reason. */
function askAgainAndAgain({ world, network, violations }: SimCluster, watch: DeploymentWatch): void {
  const life = world.begin("follower");
  const transport = network.transportOf(life);
  const ask = (): void => {
    for (const name of Object.keys(updates))
      transport.call("Jobs.Get", masterAddress, { name }, askEveryMs, (result) => {
        if (!result.ok || !result.value.job) return;
        const { job } = result.value;
        violations.add(watch.told(job, world.nowMs));
        const isLast = world.nowMs > phasesMs.ends - 2 * askEveryMs;
        if (isLast && job.deployment?.state !== DeploymentState.DEPLOYMENT_STATE_SUCCESSFUL)
          violations.add([violation("deployment-stuck", name, `${job.message} ${JSON.stringify(job.deployment)}`)]);
      });
    world.after(life, askEveryMs, "ask", ask);
  };
  world.after(life, askEveryMs, "ask", ask);
}
