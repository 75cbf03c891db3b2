import { createCron } from "@muster/cron";
import type { Log, Random } from "@muster/foundation";
import type { MasterView } from "@muster/master";
import { createServices } from "@muster/services";
import {
  afflictionsOf,
  ClaimWatch,
  FairnessWatch,
  HungerWatch,
  Inspector,
  masterAddress,
  Nemesis,
  operatorAfflictions,
  rareAfflictions,
  rulingAfflictions,
  SimCluster,
  type Violation,
  violation,
  WorldError,
} from "@muster/testing";
import { AcknowledgementWatch } from "../acknowledgements.ts";
import { BatchFramework, batchName } from "../batch-framework.ts";
import { claimingGangs } from "../claiming-gangs.ts";
import { CronWatch } from "../cron-starts.ts";
import { type Order, periodic, placeOrders, service } from "../jobs.ts";
import { keepsData } from "../keeping-data.ts";
import type { SeedReport } from "../report.ts";
import { ServiceWatch } from "../service-names.ts";
import { volumesHaveOneUser } from "../volume-users.ts";
import { workLeft } from "../work-left.ts";
import { batchWork } from "../workload.ts";
import { FeedReader } from "./feed-reader.ts";
import { crashingFramework, eagerFramework, idleFramework } from "./frameworks.ts";
import { MaliciousFramework, maliciousName } from "./malicious-framework.ts";
import { Promises } from "./promises.ts";

/** What happens when, in virtual time. A run ends as soon as everything is right, but for those that are to be long. */
const phasesMs = { chaosBegins: 4_000, chaosEnds: 26_000, convergedBy: 102_000, ends: 160_000 } as const;
/** So often it is looked whether everything is right, once nobody wants anything more. */
const lookMs = 5_000;
/** Of the seeds that could be short, so many have a calm time in which somebody still wants something, and a long end. */
const calmRate = 0.11;
const longRate = 0.055;
/** Of the seeds without services, so many have DNS: whoever names nothing can still be hit, and can still throw. */
const dnsRate = 0.25;

/** Nothing that went wrong has an effect on what is offered after so long. */
const settlesMs = 20_000;
const agentCpuMillis = 1_200;
const itemCount = 12;
const gangsRunForMs = 6_000;
const equalRoles = ["lab", "ops"] as const;

/** What a seed may have beside its patient batch framework, and how often. Most have none or one, so that there can be many. */
const guestRates = {
  services: 0.085,
  cron: 0.11,
  equals: 0.065,
  idle: 0.11,
  crashing: 0.085,
  gangs: 0.085,
  [maliciousName]: 0.11,
  keeper: 0.045,
  promises: 0.035,
  reader: 0.3,
} as const;
type Guest = keyof typeof guestRates;

const services = new Map([["web", 2]]);
const orders: readonly (Order & { readonly guest: Guest })[] = [
  { guest: "services", atMs: 2_000, job: service("web", { count: 1, cpu: 40 }) },
  { guest: "services", atMs: 15_000, job: service("web", { count: 2, cpu: 50 }) },
  { guest: "cron", atMs: 2_500, job: periodic("often", 'interval = "R/2026-01-05T00:00:05Z/PT15S"', 2) },
];

export interface SmallOptions {
  readonly log?: Log;
  /** Ends the run at its first violation. Default: it goes on. */
  readonly stopsEarly?: boolean;
  readonly onCluster?: (cluster: SimCluster) => void;
}

/**
 * Two agents and a few frameworks for one to three virtual minutes, with any mixture of faults and of decisions of
 * operators: small, so that thousands of seeds can be run. Which frameworks take part, and how long it is, follows from
 * the seed, as all else.
 */
export function runSmall(seed: number, options: SmallOptions = {}): SeedReport {
  const cluster = new SimCluster({
    seed: `small-${seed}`,
    agents: 2,
    cpuMillis: agentCpuMillis,
    memoryMiB: 2_048,
    portCount: 8,
    // Short bounds: what takes minutes in a cluster is over within the chaos.
    master: {
      offerTimeoutMs: 4_000,
      pingIntervalMs: 3_000,
      pingsMissedMax: 3,
      heartbeatIntervalMs: 5_000,
      awaitedTimeoutMs: 12_000,
    },
    ...(options.log ? { log: options.log } : {}),
  });
  const { world, links, hits, store, master, violations } = cluster;
  const present = drawGuests(world.random("guests"));
  if (!present.has("services") && world.random("dns").next() >= dnsRate) cluster.leaveOutDns();
  const inspector = new Inspector(cluster);
  const run = new SmallRun(cluster, inspector, present);
  const hosts = new Map(cluster.agents.map((agent) => [agent.name, agent]));
  const faults = [
    ...afflictionsOf({ world, links, hits, programs: cluster.programs, hosts, store }),
    ...rareAfflictions(world, cluster.network),
  ];
  const nemesisOptions = { pauseMs: { first: 400, last: 4_000 }, lastsMsMax: 20_000, kindRate: 0.35 };
  const nemesis = new Nemesis(world, faults, hits, nemesisOptions);
  const ruled = {
    world,
    master,
    hosts: cluster.agents,
    onGivenUp: (host: string) => inspector.givenUp.add(host),
    roles: ["batch", ...(present.has("equals") ? equalRoles : [])],
    frameworks: [...(present.has("equals") ? ["lab"] : []), ...(present.has("crashing") ? ["crashing"] : [])],
  };
  const operators = new Nemesis(
    world,
    [...operatorAfflictions(world, master), ...rulingAfflictions(ruled)],
    hits,
    { pauseMs: { first: 3_000, last: 15_000 }, lastsMsMax: 15_000, kindRate: 0.35 },
    "operators-nemesis",
  );
  run.watch([nemesis, operators]);
  options.onCluster?.(cluster);
  cluster.start();
  placeOrders(
    cluster,
    orders.filter(({ guest }) => present.has(guest)),
  );
  inspector.start();
  for (const each of [nemesis, operators]) {
    world.after(undefined, phasesMs.chaosBegins, "chaos", () => each.start());
    world.after(undefined, phasesMs.chaosEnds, "heal", () => each.heal());
  }
  try {
    for (let untilMs = lookMs; !run.isOver; untilMs += lookMs) {
      world.run({ untilMs });
      if (options.stopsEarly && violations.all.length > 0) break;
      run.look();
    }
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    violations.add([violation("bug", error.who, String((error.cause as Error)?.stack ?? error.message))]);
  }
  return {
    workload: "small",
    seed,
    digest: world.trace.digest(),
    violations: violations.all,
    hits: [...hits.entries()],
    kinds: [...present, ...nemesis.kinds, ...operators.kinds],
    history: [...nemesis.history, ...operators.history],
    startCount: inspector.startCount,
    eventCount: world.trace.count,
    virtualMs: world.nowMs,
  };
}

function drawGuests(random: Random): ReadonlySet<Guest> {
  const guests = Object.entries(guestRates) as readonly (readonly [Guest, number])[];
  return new Set(guests.filter(([, rate]) => random.next() < rate).map(([guest]) => guest));
}

/** Who takes part in one run, and who looks at it. */
class SmallRun {
  readonly #cluster: SimCluster;
  readonly #inspector: Inspector;
  readonly #present: ReadonlySet<Guest>;
  readonly #reader: FeedReader;
  readonly #crons: CronWatch;
  readonly #claims = new ClaimWatch();
  readonly #fairness = new FairnessWatch(equalRoles, agentCpuMillis);
  readonly #hunger = new HungerWatch(batchName);
  readonly #promises: Promises;
  /** Until then demand is endless. */
  readonly #demandEndsMs: number;
  /** Before that it does not end, however right everything is. */
  readonly #endsFirstMs: number;
  #batch: BatchFramework | undefined;
  #isOver = false;

  constructor(cluster: SimCluster, inspector: Inspector, present: ReadonlySet<Guest>) {
    this.#cluster = cluster;
    this.#inspector = inspector;
    this.#present = present;
    this.#reader = new FeedReader(cluster);
    this.#crons = new CronWatch(new Set(present.has("cron") ? ["often"] : []), inspector.givenUp);
    const length = cluster.world.random("length");
    // What is calm can be compared only while somebody wants something.
    const isCalm = length.next() < calmRate || present.has("equals") || present.has("promises");
    // What DNS answers is judged long after what may have hindered the news.
    const isLong = length.next() < longRate || present.has("services");
    this.#demandEndsMs = isCalm ? 60_000 : 30_000;
    this.#endsFirstMs = isLong ? phasesMs.ends : this.#demandEndsMs + lookMs;
    this.#promises = new Promises(cluster, this.#demandEndsMs, phasesMs.chaosEnds + settlesMs);
    inspector.malicious.add(maliciousName);
    this.#addBatch();
    this.#addGuests();
  }

  /** Everything is right, or should be by now. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Ends it if everything is right, or if there is no time left for it. */
  look(): void {
    const { nowMs } = this.#cluster.world;
    if (nowMs < this.#endsFirstMs) return;
    const found = this.#finalChecks();
    if (found.length > 0 && nowMs < phasesMs.ends) return;
    this.#cluster.violations.add(found);
    this.#isOver = true;
  }

  watch(nemeses: readonly Nemesis[]): void {
    const { violations, world } = this.#cluster;
    if (this.#present.has("promises")) this.#promises.addOperator();
    const acknowledgements = new AcknowledgementWatch(this.#cluster);
    this.#inspector.onScheduling = (from, message, to) => {
      acknowledgements.read(from, message);
      if (from === "gangs") this.#claims.asked(message.claims ?? []);
      if (to === "gangs") violations.add(this.#claims.answered(message.claimResults ?? []));
      if (this.#present.has("promises")) violations.add(this.#promises.watch.read(message, world.nowMs));
    };
    this.#inspector.onStart = (process, host) => {
      violations.add(this.#crons.started(process, host, world.nowMs));
      violations.add(this.#claims.started(process.spec.environment["MUSTER_TASK_ID"] ?? ""));
    };
    if (this.#present.has("services")) {
      const hindrances = { lastAtMs: (host?: string) => Math.max(...nemeses.map((each) => each.lastAtMs(host))) };
      const names = new ServiceWatch(this.#cluster, hindrances, phasesMs.convergedBy, services);
      this.#inspector.alsoCheck(() => names.check());
    }
    if (this.#present.has("keeper")) this.#inspector.alsoCheck(() => volumesHaveOneUser(this.#cluster));
    this.#inspector.alsoCheck(() => this.#shares());
  }

  /** What must be true when all has been well for long enough. */
  #finalChecks(): Violation[] {
    const view = this.#cluster.master.view();
    return [
      ...this.#inspector.endsKnown().filter(({ rule, subject }) => rule !== "end-lost" || !this.#isTornDown(subject)),
      ...workLeft(this.#cluster, itemCount),
      ...(view === undefined
        ? [violation("nobody-leads", "master", "nobody leads")]
        : [
            ...(this.#present.has("reader") ? this.#reader.watch.differences(view) : []),
            ...(this.#present.has("keeper") ? stillSetAside(view) : []),
          ]),
      // A clock that ran ahead has used up the instants to come, and they are not run again.
      ...(this.#cluster.hits.count("skew", "cron") === 0 ? this.#crons.silentSince(phasesMs.chaosEnds) : []),
    ];
  }

  /** A framework that was torn down is told nothing more of its tasks. */
  #isTornDown(taskId: string): boolean {
    const mayBe = ["lab.", "crashing."].some((prefix) => taskId.startsWith(prefix));
    return mayBe && this.#cluster.hits.count("teardown", "framework") > 0;
  }

  /** While the demand is endless and nothing hinders anybody: equals have as much, and nobody waits for what is free. */
  #shares(): Violation[] {
    const { nowMs } = this.#cluster.world;
    const isCalm = nowMs > phasesMs.chaosEnds + settlesMs && nowMs < this.#demandEndsMs;
    const view = isCalm ? this.#cluster.master.view() : undefined;
    if (view === undefined) return [];
    // What broke a connection is noticed late: who is not here wants nothing.
    const areHere = equalRoles.every((name) => this.#cluster.master.frameworkIdOf(name) !== undefined);
    if (!areHere) this.#fairness.interrupted();
    return [
      // Who was refused by an agent whose disk was full keeps away from it for up to a minute.
      ...(areHere && this.#present.has("equals") && this.#cluster.hits.count("disk-full", "agent") === 0
        ? this.#fairness.sample(nowMs, view)
        : []),
      // What is set aside or promised is free, but not for everybody.
      ...(this.#present.has("keeper") || this.#present.has("promises")
        ? []
        : this.#hunger.sample(nowMs, view, this.#batch?.wanted())),
    ];
  }

  #addBatch(): void {
    const cluster = this.#cluster;
    const items = batchWork(cluster.world.random("work"), this.#demandEndsMs - 15_000, {
      count: itemCount,
      runsForMsMax: 5_000,
    });
    const program = cluster.addProgram(batchName, "sdk-framework", (life) => {
      // As a real one would: it exits, and its supervisor starts it again.
      const overtaken = (): void =>
        void cluster.world.after(life, 0, "exit", () => program.life === life && program.crash());
      this.#batch = new BatchFramework(cluster.runtimeOf(life), { address: masterAddress, items, overtaken });
      this.#batch.start();
    });
  }

  #addGuests(): void {
    const cluster = this.#cluster;
    const until = this.#demandEndsMs;
    const add = (guest: Guest, name: string, start: Parameters<SimCluster["addProgram"]>[2]): void => {
      if (!this.#present.has(guest)) return;
      const program = cluster.addProgram(name, name === guest ? guest : "eager", start);
      // Who keeps what he does not use may keep others from ever getting enough at once: the work is to end all the same.
      if (guest === "idle" || guest === maliciousName)
        cluster.world.after(undefined, until, "leaves", () => program.remove());
    };
    add("services", "services", (life) => createServices(cluster.runtimeOf(life), { address: masterAddress }).start());
    add("cron", "cron", (life) => createCron(cluster.runtimeOf(life), { address: masterAddress }).start());
    for (const name of equalRoles) add("equals", name, (life) => eagerFramework(cluster.runtimeOf(life), name, until));
    add("idle", "idle", (life) => idleFramework(cluster.runtimeOf(life), "idle"));
    add("crashing", "crashing", (life) => crashingFramework(cluster, life, "crashing", until));
    add("gangs", "gangs", (life) => claimingGangs(cluster.runtimeOf(life), masterAddress, gangsRunForMs));
    add(maliciousName, maliciousName, (life) => new MaliciousFramework(cluster, life).start());
    add("keeper", "keeper", (life) => keepsData(cluster.runtimeOf(life), masterAddress, phasesMs.chaosEnds).start());
    add("reader", "reader", (life) => this.#reader.begin(life));
    if (this.#present.has("promises")) this.#promises.addPrograms();
  }
}

/** In the end everything that was set aside has been given back. */
function stillSetAside({ agents }: MasterView): Violation[] {
  return agents.flatMap(({ name, reservations }) =>
    reservations.map(({ reservationId }) => violation("still-set-aside", name, reservationId)),
  );
}
