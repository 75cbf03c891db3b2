import { createDiscovery, type Discovery } from "@muster/discovery";
import type { Log } from "@muster/foundation";
import { endpointsIn, srvQuestion } from "../checkers/dns-packets.ts";
import type { Life } from "../world/life.ts";
import type { Network } from "../world/network.ts";
import type { World } from "../world/world.ts";
import { Program } from "./program.ts";

/** The DNS process. */
export class DnsHost {
  readonly program: Program;
  readonly #world: World;
  readonly #network: Network;
  readonly #masterAddress: string;
  readonly #log: Log;
  #running: { life: Life; discovery: Discovery } | undefined;
  readonly #questions = new Map<string, Buffer>();
  /** The last answer to each question, and what it says: most answers are as they were. */
  readonly #read = new Map<string, { readonly answer: Buffer; readonly endpoints: string[] }>();

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

  /** "ip:port" of a service's instances; undefined while nothing is answered. `name` is for instance "_web._tcp.services". */
  endpoints(name: string): string[] | undefined {
    const running = this.#running;
    if (running === undefined || !running.life.alive || !running.discovery.status().isReady) return undefined;
    const full = `${name}.${running.discovery.domain}`;
    const question = this.#questions.get(full) ?? srvQuestion(full);
    this.#questions.set(full, question);
    const answer = running.discovery.answer(question, { tcp: true, peer: "10.0.0.99" });
    if (answer === undefined) return undefined;
    const read = this.#read.get(full);
    if (read?.answer.equals(answer)) return read.endpoints;
    const endpoints = endpointsIn(answer);
    this.#read.set(full, { answer: Buffer.from(answer), endpoints });
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
