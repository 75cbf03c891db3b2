import type { NetEvents, NetSpec, Nets } from "@muster/executors";
import type { Random } from "@muster/foundation";
import type { OverlaySubnet } from "@muster/proto";
import type { HostProcesses } from "./host-processes.ts";
import type { Life } from "./life.ts";
import { ToldOverlays } from "./told-overlays.ts";
import type { World } from "./world.ts";

/** One making in so many fails, as that of a network whose subnet is taken would. */
const failureOdds = 200;

/** The networks of groups on one host. They outlive the agent's process, and end with the host's power. */
export class HostNets {
  readonly #world: World;
  readonly #random: Random;
  readonly #processes: HostProcesses;
  /** Index of the address that each has, by key; 0: none. */
  readonly #made = new Map<string, number>();
  /** Groups whose network was taken away under a living command, or that got an address which another has. */
  readonly clashes: string[] = [];
  /** The subnet that the host was told of last, by overlay network. */
  readonly subnets = new Map<string, string>();
  #watcher: { readonly life: Life; readonly events: NetEvents } | undefined;

  constructor(world: World, host: string, processes: HostProcesses) {
    this.#world = world;
    this.#random = world.random(`nets/${host}`);
    this.#processes = processes;
  }

  reboot(): void {
    this.#made.clear();
    this.#watcher = undefined;
  }

  /** Keys of the groups that have a network now. */
  made(): string[] {
    return [...this.#made.keys()];
  }

  openFor(life: Life): Nets {
    let agentId = "";
    const told = new ToldOverlays();
    return {
      overlaysKnown: () => told.digest(),
      beginOverlays: (id) => {
        agentId = id;
        told.begin();
      },
      tellOverlays: (news) => {
        for (const one of news) {
          told.tell(one);
          if (one.type === "subnet" && one.subnet.agentId === agentId) this.#lease(life, one.subnet);
        }
      },
      start: (events) => {
        this.#watcher = { life, events };
      },
      keep: (specs) => {
        const keys = new Set(specs.map(({ key }) => key));
        for (const key of [...this.#made.keys()]) if (!keys.has(key)) this.#unmake(key);
      },
      build: (spec) => this.#build(life, spec),
      remove: ({ key }) => {
        this.#world.after(life, 0.5 + this.#random.next() * 20, "net", () => {
          this.#unmake(key);
          this.#tell(life, (events) => events.gone(key));
        });
      },
      stop: (done) => {
        if (this.#watcher?.life === life) this.#watcher = undefined;
        this.#world.after(life, 0, "net", done);
      },
    };
  }

  /** The network is ready on the host a while after its subnet was told. */
  #lease(life: Life, { network, subnet, subnet6 }: OverlaySubnet): void {
    this.subnets.set(network, subnet);
    this.#world.after(life, 0.5 + this.#random.next() * 20, "net", () => {
      const subnets = subnet6 === "" ? [subnet] : [subnet, subnet6];
      this.#tell(life, (events) => events.overlay(network, { subnets }));
    });
  }

  #build(life: Life, { key, mode, addressIndex, more, apart }: NetSpec): void {
    const isThere = this.#made.has(key);
    this.#world.after(life, 0.5 + this.#random.next() * 20, "net", () => {
      if (!isThere && this.#random.next() * failureOdds < 1) {
        this.#tell(life, (events) => events.failed(key, "no room in the subnet"));
        return;
      }
      if (addressIndex > 0 && [...this.#made].some(([other, index]) => index === addressIndex && other !== key))
        this.clashes.push(key);
      this.#made.set(key, addressIndex);
      const ips = ipsOfPlace({ addressIndex });
      const ready = {
        namespace: mode === "host" ? "" : `/run/netns/${key}`,
        ips,
        ...(more ? { more: more.map(ipsOfPlace) } : {}),
        ...(apart ? { apart: apart.map(({ index }) => ({ index, namespace: `/run/netns/${key}.${index}` })) } : {}),
      };
      this.#tell(life, (events) => events.ready(key, ready));
    });
  }

  #unmake(key: string): void {
    if (!this.#made.delete(key)) return;
    if (this.#processes.alive().some(({ spec }) => spec.id.startsWith(`${key}.`))) this.clashes.push(key);
  }

  #tell(life: Life, say: (events: NetEvents) => void): void {
    if (this.#watcher?.life === life) say(this.#watcher.events);
  }
}

function ipsOfPlace({ addressIndex }: Pick<NetSpec, "addressIndex">): string[] {
  return addressIndex > 0 ? [`10.78.0.${addressIndex + 1}`] : [];
}
