import { type Log, overlayDigest } from "@muster/foundation";
import type { OverlayNetwork, OverlaySubnet } from "@muster/proto";
import type { NetSpec, OverlayNews, OverlayState } from "../../world/nets.ts";
import type { IpBatch } from "../kernel/ip-batch.ts";
import type { OwnedGroups } from "../kernel/net-builder.ts";
import { NftBatch } from "../kernel/nft-batch.ts";
import { Bird } from "./bird.ts";
import { LinkWatch } from "./link-watch.ts";
import { OverlayNet, type OverlayNetParts } from "./overlay-net.ts";
import { subnetsOf, type UnderlayAddress } from "./plan.ts";
import { OverlayRecords } from "./records.ts";

export interface OverlayHostOptions {
  readonly owner: string;
  /** Absolute path of the agent's own folder. */
  readonly dataFolder: string;
  readonly underlay: UnderlayAddress;
  readonly closedPorts: readonly number[];
  readonly ip: IpBatch;
  readonly log: Log;
  /** The host's end of a group's link. */
  readonly linkOf: (spec: NetSpec) => string;
}

/** What a master has told of one network. */
interface Told {
  readonly network: OverlayNetwork;
  readonly subnets: Map<string, OverlaySubnet>;
  refusal: string;
}

/** All overlay networks of one host: what the master tells of them becomes devices and entries of the kernel. */
export class OverlayHost {
  readonly #options: OverlayHostOptions;
  readonly #parts: OverlayNetParts;
  readonly #records: OverlayRecords;
  readonly #nets = new Map<string, OverlayNet>();
  readonly #watch: LinkWatch;
  #groups: OwnedGroups = { isOwned: () => false, owned: () => [], ready: () => [] };
  #events: (name: string, state: OverlayState) => void = () => {};
  #agentId = "";
  /** What counts now. */
  #told = new Map<string, Told>();
  /** What a new session has told so far; it counts when it is complete. */
  #coming: Map<string, Told> | undefined;
  /** Networks that are being taken away: their names are free again when that is done. */
  readonly #leaving = new Map<string, Promise<void>>();

  constructor(options: OverlayHostOptions) {
    this.#options = options;
    this.#records = new OverlayRecords(options.dataFolder);
    this.#watch = new LinkWatch((link) => this.#linkLost(link));
    this.#parts = {
      ...options,
      nft: new NftBatch(),
      bird: new Bird(options.owner),
      stands: (name, fault) => this.#stands(name, fault),
      linksOf: (name) => this.#groupsOf(name).map((spec) => options.linkOf(spec)),
    };
    for (const { network, own } of this.#records.all())
      this.#nets.set(network.name, new OverlayNet(network, own, this.#parts));
  }

  start(events: (name: string, state: OverlayState) => void, groups: OwnedGroups): void {
    this.#events = events;
    this.#groups = groups;
  }

  begin(agentId: string): void {
    this.#agentId = agentId;
    this.#coming = new Map();
  }

  /** Names what counts now. */
  known(): string {
    const told = [...this.#told.values()];
    return overlayDigest(
      told.map(({ network }) => network),
      told.flatMap(({ subnets }) => [...subnets.values()]),
    );
  }

  tell(news: readonly OverlayNews[]): void {
    for (const one of news) {
      if (one.type === "complete") this.#completed();
      // Devices, entries and records are as they should be already.
      else if (one.type === "unchanged") this.#coming = undefined;
      else if (this.#coming) note(this.#coming, one);
      else this.#change(one);
    }
  }

  /** The network that a group is in; throws if it is not known here. */
  netOf({ mode }: NetSpec): OverlayNet {
    const name = nameOfMode(mode);
    const net = this.#nets.get(name);
    if (!net) throw new Error(`the overlay network ${name} is not known on this host`);
    return net;
  }

  bridges(): string[] {
    return [...this.#nets.values()].map(({ plan }) => plan.bridge);
  }

  /** Looks at the networks that groups are in. */
  mend(): void {
    for (const [name, net] of this.#nets) if (this.#groupsOf(name).length > 0) net.mend();
  }

  /** Networks that this agent has no subnet of any more go with their last group; at the end all go. */
  async close(isEnd: boolean): Promise<void> {
    for (const [name, net] of [...this.#nets]) if (isEnd || !this.#ownOf(name)) await this.#remove(name, net);
    if (!isEnd) return;
    this.#watch.stop();
    await this.#tidyBird();
  }

  #tidyBird(): Promise<void> {
    const failed = (error: unknown): void => this.#options.log.warn({ error }, "bird could not be ended");
    return this.#parts.bird.tidy().catch(failed);
  }

  async leave(): Promise<void> {
    this.#watch.stop();
    await Promise.allSettled([...[...this.#nets.values()].map((net) => net.leave()), ...this.#leaving.values()]);
  }

  #completed(): void {
    const before = this.#told;
    this.#told = this.#coming ?? this.#told;
    this.#coming = undefined;
    for (const name of new Set([...before.keys(), ...this.#nets.keys()]))
      if (!this.#told.has(name)) this.#without(name, "the master has no network of that name any more");
    for (const name of this.#told.keys()) this.#refresh(name);
    if (![...this.#told.values()].some(({ network }) => network.backend === "bgp")) void this.#tidyBird();
  }

  #change(one: OverlayNews): void {
    note(this.#told, one);
    if (one.type === "network" || one.type === "refusal")
      this.#refresh(one.type === "network" ? one.network.name : one.network);
    if (one.type !== "subnet" && one.type !== "removal") return;
    const name = one.type === "subnet" ? one.subnet.network : one.network;
    const agentId = one.type === "subnet" ? one.subnet.agentId : one.agentId;
    if (agentId === this.#agentId) this.#refresh(name);
    else this.#nets.get(name)?.changePeer(agentId, one.type === "subnet" ? one.subnet : undefined);
  }

  /** Makes the network as it is told, or anew if what it is made of has changed. */
  #refresh(name: string): void {
    const told = this.#told.get(name);
    if (!told) return;
    const own = this.#ownOf(name);
    if (!own) {
      this.#nets.get(name)?.setPeers(told.subnets);
      this.#without(name, told.refusal || "the master has not given this agent a subnet yet");
      return;
    }
    const { network } = told;
    let net = this.#nets.get(name);
    if (!net || !isSame(net.plan.network, network) || !isSame(net.plan.own, own)) {
      const before = net?.leave();
      net = new OverlayNet(network, own, this.#parts);
      this.#nets.set(name, net);
      this.#records.put({ network, own });
      this.#watch.start();
      const made = net;
      const { subnets } = told;
      void Promise.allSettled([before, this.#leaving.get(name)]).then(() => made.setPeers(subnets));
      return;
    }
    this.#watch.start();
    net.setPeers(told.subnets);
  }

  /** Groups that run keep what they have; new ones can't be. */
  #without(name: string, reason: string): void {
    this.#events(name, { reason });
    const net = this.#nets.get(name);
    if (net && this.#groupsOf(name).length === 0) void this.#remove(name, net);
  }

  #remove(name: string, net: OverlayNet): Promise<void> {
    this.#nets.delete(name);
    const gone = net
      .remove()
      .then(() => {
        if (!this.#nets.has(name)) this.#records.remove(name);
      })
      .catch((error) => this.#options.log.warn({ error, network: name }, "an overlay network could not be removed"))
      .finally(() => this.#leaving.delete(name));
    this.#leaving.set(name, gone);
    return gone;
  }

  #stands(name: string, fault: string | undefined): void {
    const net = this.#nets.get(name);
    if (!net || !this.#ownOf(name)) return;
    this.#events(name, fault === undefined ? { subnets: subnetsOf(net.plan) } : { reason: fault });
  }

  #linkLost(link: string): void {
    for (const net of this.#nets.values())
      if (link === net.plan.device || link === net.plan.bridge || !net.isWhole) net.mend();
  }

  #ownOf(name: string): OverlaySubnet | undefined {
    return this.#told.get(name)?.subnets.get(this.#agentId);
  }

  #groupsOf(name: string): NetSpec[] {
    return this.#groups.owned().filter(({ mode }) => mode === `overlay/${name}`);
  }
}

/** "overlay/NAME" without its family. */
function nameOfMode(mode: string): string {
  return mode.slice("overlay/".length);
}

function note(told: Map<string, Told>, one: OverlayNews): void {
  if (one.type === "complete" || one.type === "unchanged") return;
  if (one.type === "network") {
    const { network } = one;
    const { subnets = new Map(), refusal = "" } = told.get(network.name) ?? {};
    told.set(network.name, { network, subnets, refusal });
    return;
  }
  const found = told.get(one.type === "subnet" ? one.subnet.network : one.network);
  if (!found) return;
  if (one.type === "subnet") found.subnets.set(one.subnet.agentId, one.subnet);
  else if (one.type === "removal") found.subnets.delete(one.agentId);
  else found.refusal = one.reason;
}

function isSame(one: object, other: object): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
