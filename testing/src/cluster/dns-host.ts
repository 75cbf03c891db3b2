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
    const question = srvQuestion(`${name}.${running.discovery.domain}`);
    const answer = running.discovery.answer(question, { tcp: true, peer: "10.0.0.99" });
    return answer === undefined ? undefined : endpointsIn(answer);
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
