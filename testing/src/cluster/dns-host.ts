import { createDiscovery, type Discovery } from "@muster/discovery";
import type { Log } from "@muster/foundation";
import { endpointsIn, srvQuestion } from "../checkers/dns-packets.ts";
import type { Life } from "../world/life.ts";
import type { Network } from "../world/network.ts";
import type { World } from "../world/world.ts";
import { Program } from "./program.ts";

/** So often DNS is asked although its zone says that nothing has changed. */
const askedAnywayMs = 5_000;

/** What was answered when, to one question. */
interface Read {
  readonly life: Life;
  readonly changes: number;
  readonly atMs: number;
  readonly endpoints: string[];
}

/** The DNS process. */
export class DnsHost {
  readonly program: Program;
  readonly #world: World;
  readonly #network: Network;
  readonly #masterAddress: string;
  readonly #log: Log;
  #running: { life: Life; discovery: Discovery } | undefined;
  readonly #questions = new Map<string, Buffer>();
  readonly #read = new Map<string, Read>();

  constructor(world: World, network: Network, masterAddress: string, log: Log) {
    this.#world = world;
    this.#network = network;
    this.#masterAddress = masterAddress;
    this.#log = log;
    this.program = new Program(world, { name: "dns", component: "dns", start: (life) => this.#start(life) });
  }

  /** Counts its lives: what one life has named, the next need not name at once. */
  get lifeNumber(): number {
    return this.#running?.life.number ?? 0;
  }

  /**
   * "ip:port" of a service's instances; undefined while nothing is answered. `name` is for instance "_web._tcp.services".
   * O(1) while the zone says that nothing has changed, but every few seconds it is asked all the same.
   */
  endpoints(name: string): string[] | undefined {
    const running = this.#running;
    if (running === undefined || !running.life.alive || !running.discovery.status().isReady) return undefined;
    const { life, discovery } = running;
    const { changes } = discovery.zone;
    const { nowMs } = this.#world;
    const read = this.#read.get(name);
    if (read?.life === life && read.changes === changes && nowMs - read.atMs < askedAnywayMs) return read.endpoints;
    const question = this.#questions.get(name) ?? srvQuestion(`${name}.${discovery.domain}`);
    this.#questions.set(name, question);
    const answer = discovery.answer(question, { tcp: true, peer: "10.0.0.99" });
    if (answer === undefined) return undefined;
    const endpoints = endpointsIn(answer);
    this.#read.set(name, { life, changes, atMs: nowMs, endpoints });
    return endpoints;
  }

  #start(life: Life): void {
    const discovery = createDiscovery(
      {
        clock: this.#world.clockOf(life),
        random: this.#world.random(`dns/${life.number}`),
        transport: this.#network.transportOf(life),
        log: this.#log,
      },
      { masterAddress: this.#masterAddress },
    );
    this.#running = { life, discovery };
    discovery.start();
  }
}
