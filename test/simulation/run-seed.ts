import { createCron } from "@muster/cron";
import type { Log } from "@muster/foundation";
import { createServices } from "@muster/services";
import {
  afflictionsOf,
  Inspector,
  masterAddress,
  Nemesis,
  operatorAfflictions,
  SimCluster,
  type Violation,
  violation,
  WorldError,
} from "@muster/testing";
import { AcknowledgementWatch } from "./acknowledgements.ts";
import { BatchFramework, batchName } from "./batch-framework.ts";
import { CronWatch } from "./cron-starts.ts";
import { periodicJobs, placeOrders, wantedInstances } from "./jobs.ts";
import type { SeedReport } from "./report.ts";
import { ServiceWatch } from "./service-names.ts";
import { workLeft } from "./work-left.ts";
import { batchWork, itemCount } from "./workload.ts";

/** What happens when, in virtual time: all is well, things go wrong, all is well again and must come right, and is. */
export const phasesMs = { chaosBegins: 60_000, chaosEnds: 480_000, convergedBy: 540_000, ends: 610_000 } as const;

export interface SeedOptions {
  readonly log?: Log;
  /** Ends the run at its first violation. Default: it goes on. */
  readonly stopsEarly?: boolean;
  /** Operators deactivate and drain agents meanwhile. Default: they do not. */
  readonly operators?: boolean;
  /** Looks into the cluster before it starts, for instance to read along. */
  readonly onCluster?: (cluster: SimCluster) => void;
}

/** Ten virtual minutes of one cluster. Everything that happens in them follows from the seed. */
export function runSeed(seed: number, options: SeedOptions = {}): SeedReport {
  const cluster = new SimCluster({ seed, ...(options.log ? { log: options.log } : {}) });
  const inspector = new Inspector(cluster);
  const acknowledgements = new AcknowledgementWatch(cluster);
  inspector.onScheduling = (from, message) => acknowledgements.read(from, message);
  const items = batchWork(cluster.world.random("work"), phasesMs.chaosEnds);
  cluster.addProgram(batchName, "sdk-framework", (life) => {
    const program = cluster.programs.find(({ name }) => name === batchName);
    // As a real one would: it exits, and its supervisor starts it again.
    const overtaken = (): void =>
      void cluster.world.after(life, 0, "exit", () => program?.life === life && program.crash());
    new BatchFramework(cluster.runtimeOf(life), { address: masterAddress, items, overtaken }).start();
  });
  cluster.addProgram("services", "services", (life) => {
    createServices(cluster.runtimeOf(life), { address: masterAddress }).start();
  });
  cluster.addProgram("cron", "cron", (life) => createCron(cluster.runtimeOf(life), { address: masterAddress }).start());
  const crons = new CronWatch(periodicJobs, inspector.givenUp);
  inspector.onStart = (process, host) => cluster.violations.add(crons.started(process, host, cluster.world.nowMs));
  const nemesis = new Nemesis(
    cluster.world,
    afflictionsOf({
      world: cluster.world,
      links: cluster.links,
      hits: cluster.hits,
      programs: cluster.programs,
      hosts: new Map(cluster.agents.map((agent) => [agent.name, agent])),
      store: cluster.store,
    }),
    cluster.hits,
  );
  // Operators have a nemesis of their own, so that what they do falls together with any mixture of faults.
  const operators = new Nemesis(
    cluster.world,
    options.operators ? operatorAfflictions(cluster.world, cluster.master) : [],
    cluster.hits,
    { pauseMs: { first: 20_000, last: 60_000 }, lastsMsMax: 60_000, kindRate: 1 },
    "operators-nemesis",
  );
  const services = new ServiceWatch(cluster, nemesis, phasesMs.convergedBy, wantedInstances);
  inspector.alsoCheck(() => services.check());
  options.onCluster?.(cluster);
  cluster.start();
  placeOrders(cluster);
  inspector.start();
  cluster.world.after(undefined, phasesMs.chaosBegins, "chaos", () => nemesis.start());
  cluster.world.after(undefined, phasesMs.chaosBegins, "chaos", () => operators.start());
  cluster.world.after(undefined, phasesMs.chaosEnds, "heal", () => nemesis.heal());
  cluster.world.after(undefined, phasesMs.chaosEnds, "heal", () => operators.heal());
  const run = (untilMs: number): void => {
    for (let atMs = cluster.world.nowMs; atMs < untilMs; ) {
      if (options.stopsEarly && cluster.violations.all.length > 0) return;
      atMs = Math.min(untilMs, atMs + 10_000);
      cluster.world.run({ untilMs: atMs });
    }
  };
  try {
    run(phasesMs.convergedBy);
    run(phasesMs.ends);
    if (cluster.world.nowMs >= phasesMs.ends) {
      cluster.violations.add(finalChecks(cluster, inspector));
      // A clock that ran ahead has used up the instants to come, and they are not run again.
      if (cluster.hits.count("skew", "cron") === 0) cluster.violations.add(crons.silentSince(phasesMs.chaosEnds));
    }
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    cluster.violations.add([violation("bug", error.who, String((error.cause as Error)?.stack ?? error.message))]);
  }
  return {
    workload: "first",
    seed,
    digest: cluster.world.trace.digest(),
    violations: cluster.violations.all,
    hits: [...cluster.hits.entries()],
    kinds: [...nemesis.kinds, ...operators.kinds],
    history: [...nemesis.history, ...operators.history],
    startCount: inspector.startCount,
    eventCount: cluster.world.trace.count,
    virtualMs: cluster.world.nowMs,
  };
}

/** What must be true when all has been well for long enough. */
function finalChecks(cluster: SimCluster, inspector: Inspector): Violation[] {
  return [...inspector.endsKnown(), ...workLeft(cluster, itemCount)];
}
