import { desiredCount, type HostProcess, NamesWatch, type SimCluster, type Violation } from "@muster/testing";

/**
 * How long DNS may name a dead task, and leave out a healthy one that it never named, when nothing hinders the news: the
 * agent hears of the end within milliseconds, but a full or slow disk may hold the status back.
 */
export const dnsBoundMs = 1_000;
export const dnsMissingMs = 10_000;
/** How long a task may live unnamed that is being ended: its grace of 5 s, and how long the news of it take. */
export const dnsLostMs = 8_000;
/** What broke a connection is over for its ends after the keepalive (30 s), a silent peer (75 s) and a reconnection. */
const hindranceLastsMs = 90_000;

/** When something last hindered anybody, or a host. */
export interface Hindrances {
  lastAtMs(host?: string): number;
}

interface Living {
  /** What lived on each host. */
  readonly lists: readonly (readonly HostProcess[])[];
  readonly alive: ReadonlySet<string>;
  readonly counts: ReadonlyMap<string, number>;
}

/** Reads DNS's answers for the services, and in the end counts their instances. */
export class ServiceWatch {
  readonly #cluster: SimCluster;
  readonly #convergedByMs: number;
  readonly #hindrances: Hindrances;
  readonly #names = new NamesWatch({ deadMs: dnsBoundMs, missingMs: dnsMissingMs, lostMs: dnsLostMs });
  readonly #wanted: ReadonlyMap<string, number>;
  #dnsLife = 0;
  #living: Living = { lists: [], alive: new Set(), counts: new Map() };

  /** `wanted`: how many instances of each service there must be in the end. */
  constructor(cluster: SimCluster, hindrances: Hindrances, convergedByMs: number, wanted: ReadonlyMap<string, number>) {
    this.#wanted = wanted;
    this.#hindrances = hindrances;
    this.#cluster = cluster;
    this.#convergedByMs = convergedByMs;
  }

  check(): Violation[] {
    const { dns, world } = this.#cluster;
    if (dns.lifeNumber !== this.#dnsLife) {
      this.#dnsLife = dns.lifeNumber;
      this.#names.restarted();
    }
    const answers = new Set<string>();
    let isAnswered = true;
    for (const name of this.#wanted.keys()) {
      const endpoints = dns.endpoints(`_http._${name}._tcp.services`);
      if (endpoints === undefined) isAnswered = false;
      for (const endpoint of endpoints ?? []) answers.add(`${name} ${endpoint}`);
    }
    const { alive, counts } = this.#alive();
    const found = this.#names.sample({
      nowMs: world.nowMs,
      answers: isAnswered ? answers : undefined,
      alive,
      hinderedAtMs: () => this.#hindrances.lastAtMs() + hindranceLastsMs,
      cutOffAtMs: (answer) => this.#hindrances.lastAtMs(this.#hostOf(answer)) + hindranceLastsMs,
    });
    if (world.nowMs < this.#convergedByMs) return found;
    const desired = [...this.#wanted].map(([job, wanted]) => ({ job, wanted, alive: counts.get(job) ?? 0 }));
    return [...found, ...desiredCount(desired)];
  }

  #hostOf(answer: string): string {
    return this.#cluster.agents.find(({ ip }) => answer.includes(` ${ip}:`))?.name ?? "";
  }

  /** Endpoints of services' commands that listen, and how many commands of each service live. O(1) until one begins or ends. */
  #alive(): Living {
    const lists = this.#cluster.agents.map(({ processes }) => processes.alive());
    if (lists.length === this.#living.lists.length && lists.every((list, index) => list === this.#living.lists[index]))
      return this.#living;
    const alive = new Set<string>();
    const counts = new Map<string, number>();
    for (const [index, agent] of this.#cluster.agents.entries())
      for (const { spec, ports, started } of lists[index] ?? []) {
        const job = spec.environment["MUSTER_JOB_NAME"] ?? "";
        if (!this.#wanted.has(job) || started === undefined) continue;
        counts.set(job, (counts.get(job) ?? 0) + 1);
        for (const port of ports) alive.add(`${job} ${agent.ip}:${port}`);
      }
    this.#living = { lists, alive, counts };
    return this.#living;
  }
}
