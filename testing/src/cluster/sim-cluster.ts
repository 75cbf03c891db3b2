import type { HostFacts, ProcSpec } from "@muster/executors";
import { type Log, memoryStoreData, silentLog } from "@muster/foundation";
import { type MasterConfig, parseOverlays } from "@muster/master";
import { Hits } from "../faults/hits.ts";
import type { Behaviour } from "../world/host-processes.ts";
import type { Life } from "../world/life.ts";
import { Links } from "../world/links.ts";
import { Network } from "../world/network.ts";
import { calmStore, type StoreGround } from "../world/store.ts";
import { World } from "../world/world.ts";
import { AgentHost } from "./agent-host.ts";
import { DnsHost } from "./dns-host.ts";
import { MasterHost } from "./master-host.ts";
import { Program } from "./program.ts";
import { Violations } from "./violations.ts";

export const masterAddress = "master:5050";

export interface SimClusterOptions {
  readonly seed: string | number;
  /** How many agents. Default: 3. */
  readonly agents?: number;
  /** Of each agent. Default: 4,000 and 8,192. */
  readonly cpuMillis?: number;
  readonly memoryMiB?: number;
  /** Ports in each agent's dynamic range. Default: 60. */
  readonly portCount?: number;
  readonly master?: Partial<MasterConfig>;
  /** What a command does. Default: what its arguments say. */
  readonly behave?: (spec: ProcSpec) => Behaviour;
  /** In place of what the agent of that index would find on its host. Default: nothing. */
  readonly facts?: (index: number) => Partial<HostFacts>;
  /** Reads along. Default: nobody does. */
  readonly log?: Log;
}

/** A master, agents and DNS in one world, each on a host of its own, under supervisors. Frameworks are added to it. */
export class SimCluster {
  readonly world: World;
  readonly links: Links;
  readonly network: Network;
  readonly store: StoreGround = { data: memoryStoreData(), faults: { ...calmStore }, onFault: () => {} };
  readonly hits = new Hits();
  readonly violations: Violations;
  readonly master: MasterHost;
  readonly agents: readonly AgentHost[];
  readonly dns: DnsHost;
  readonly log: Log;
  #hasDns = true;
  readonly #frameworks: Program[] = [];

  constructor(options: SimClusterOptions) {
    const { cpuMillis = 4_000, memoryMiB = 8_192, portCount = 60 } = options;
    this.log = options.log ?? silentLog;
    this.world = new World(options.seed);
    this.links = new Links(this.world);
    this.network = new Network(this.world, this.links);
    this.violations = new Violations(this.world);
    const { world, network, log } = this;
    const child = (name: string): Log => log.child({ program: name });
    this.master = new MasterHost(world, network, this.store, {
      address: masterAddress,
      config: { overlays: parseOverlays(["blue 10.244.0.0/16 fd44::/48"]), ...options.master },
      log: child("master"),
    });
    this.agents = Array.from(
      { length: options.agents ?? 3 },
      (_, index) =>
        new AgentHost(world, network, {
          index,
          masterAddress,
          cpuMillis,
          memoryMiB,
          portCount,
          log: child(`agent-${index}`),
          ...(options.behave ? { behave: options.behave } : {}),
          ...(options.facts ? { facts: options.facts(index) } : {}),
        }),
    );
    this.dns = new DnsHost(world, network, masterAddress, child("dns"));
  }

  /** To be called before the start: nobody names what runs. */
  leaveOutDns(): void {
    this.#hasDns = false;
  }

  /** Every program, in the order of their start. */
  get programs(): Program[] {
    const dns = this.#hasDns ? [this.dns.program] : [];
    return [this.master.program, ...this.agents.map(({ program }) => program), ...dns, ...this.#frameworks];
  }

  /** Adds a framework, or anybody else who calls the cluster. `start` makes one life of it. */
  addProgram(name: string, component: string, start: (life: Life) => void): Program {
    const program = new Program(this.world, { name, component, start });
    this.#frameworks.push(program);
    return program;
  }

  /** What the SDK calls a runtime, for one life of a framework. */
  runtimeOf(life: Life) {
    return {
      clock: this.world.clockOf(life),
      random: this.world.random(`${life.name}/${life.number}`),
      transport: this.network.transportOf(life),
      log: this.log.child({ program: life.name }),
    };
  }

  /** Starts everything. */
  start(): void {
    for (const program of this.programs) program.start();
  }

  run(forMs: number): void {
    this.world.run({ untilMs: this.world.nowMs + forMs });
  }
}
