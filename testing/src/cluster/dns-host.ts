import { createDiscovery, type Discovery, recordType, wireName, type Zone } from "@muster/discovery";
import type { Log } from "@muster/foundation";
import { endpointsIn, srvQuestion } from "../checkers/dns-packets.ts";
import type { Life } from "../world/life.ts";
import type { Network } from "../world/network.ts";
import type { World } from "../world/world.ts";
import { Program } from "./program.ts";

/** So often DNS is asked although its zone says that nothing of the name has changed. */
const askedAnywayMs = 5_000;

/** One for the SRV records of a name. */
interface Question {
  readonly owner: ReturnType<typeof wireName>;
  readonly packet: Buffer;
}

/** What was answered when, to one question. */
interface Read {
  readonly life: Life;
  /** What the zone had for it, made anew with every change of it and of the addresses that it leads to. */
  readonly records: ReturnType<Zone["compiled"]>;
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
  readonly #questions = new Map<string, Question>();
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
   * O(1) while the zone says that nothing of it has changed, but every few seconds it is asked all the same.
   */
  endpoints(name: string): string[] | undefined {
    const running = this.#running;
    if (running === undefined || !running.life.alive || !running.discovery.status().isReady) return undefined;
    const { life, discovery } = running;
    const { owner, packet } = this.#question(`${name}.${discovery.domain}`);
    const records = owner === undefined ? undefined : discovery.zone.compiled(owner, recordType.SRV);
    const { nowMs } = this.#world;
    const read = this.#read.get(name);
    if (read?.life === life && read.records === records && nowMs - read.atMs < askedAnywayMs) return read.endpoints;
    const answer = discovery.answer(packet, { tcp: true, peer: "10.0.0.99" });
    if (answer === undefined) return undefined;
    const endpoints = endpointsIn(answer);
    this.#read.set(name, { life, records, atMs: nowMs, endpoints });
    return endpoints;
  }

  #question(name: string): Question {
    const known = this.#questions.get(name) ?? { owner: wireName(name), packet: srvQuestion(name) };
    this.#questions.set(name, known);
    return known;
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
