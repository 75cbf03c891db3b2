import type { Log } from "@muster/foundation";
import type { OverlayNetwork, OverlaySubnet } from "@muster/proto";
import { hasIpv6 } from "../kernel/host.ts";
import type { Bird } from "./bird.ts";
import { type DeviceParts, ensureDevices, removeDevices } from "./devices.ts";
import { type Entries, entriesBy, entriesOf, linesBetween, type Way } from "./entries.ts";
import { hasTunnel, type OverlayPlan, planOverlay, type UnderlayAddress } from "./plan.ts";
import { readTables, writeTables } from "./tables.ts";
import { findUplink, mtuInside } from "./uplink.ts";

/** What could not be made is tried again after so long, doubling. */
const retryMsFirst = 1_000;
const retryMsMax = 30_000;

export interface OverlayNetParts extends DeviceParts {
  readonly owner: string;
  readonly underlay: UnderlayAddress;
  readonly bird: Bird;
  readonly log: Log;
  /** It stands on this host; undefined: as it should. */
  readonly stands: (name: string, fault: string | undefined) => void;
  /** Groups' links that hang on the bridge: a new bridge takes them up again. */
  readonly linksOf: (name: string) => readonly string[];
}

/** One overlay network on this host: its devices, and what the kernel knows of the peers. One thing is done at a time. */
export class OverlayNet {
  readonly plan: OverlayPlan;
  readonly #parts: OverlayNetParts;
  /** All that have a subnet, this agent included. */
  #peers = new Map<string, OverlaySubnet>();
  /** Whether the peers are known: until a master has told them all, entries of an earlier life stay. */
  #knowsPeers = false;
  #way: Way | undefined;
  #mtu = 0;
  #isWhole = false;
  #wantsWhole = true;
  /** Peers that have changed, with what the kernel was told of them last. */
  #changed = new Map<string, OverlaySubnet | undefined>();
  #working: Promise<void> | undefined;
  #making: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #retryMs = retryMsFirst;
  #isOver = false;

  constructor(network: OverlayNetwork, own: OverlaySubnet, parts: OverlayNetParts) {
    this.#parts = parts;
    this.plan = planOverlay(parts.owner, network, own, hasIpv6());
  }

  /** Whether all of it is there. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Bytes of a packet inside; known when it is ready. */
  get mtu(): number {
    return this.#mtu;
  }

  /** Takes all peers as they are now; the kernel's tables follow. */
  setPeers(peers: ReadonlyMap<string, OverlaySubnet>): void {
    this.#peers = new Map(peers);
    this.#knowsPeers = true;
    this.mend();
  }

  /** A peer has another subnet, or none any more. O(1) for the kernel. */
  changePeer(agentId: string, subnet: OverlaySubnet | undefined): void {
    if (!this.#changed.has(agentId)) this.#changed.set(agentId, this.#peers.get(agentId));
    if (subnet) this.#peers.set(agentId, subnet);
    else this.#peers.delete(agentId);
    void this.#work();
  }

  /** Looks at all of it, and makes what is missing. */
  mend(): void {
    this.#wantsWhole = true;
    void this.#work();
  }

  /** Comes back when the devices are there; throws if they can't be made. */
  async ready(): Promise<void> {
    if (!this.#isWhole || this.#mtu === 0) await this.#devices();
  }

  /** Nothing of it is left. */
  async remove(): Promise<void> {
    this.#isOver = true;
    clearTimeout(this.#timer);
    await this.#working;
    const routes = await readTables(this.plan).catch((): Entries => new Map());
    await writeTables(linesBetween(routes, new Map(), this.plan.device)).catch(() => {});
    await this.#parts.bird.remove(this.plan.network.name);
    await removeDevices(this.plan, this.#parts);
  }

  /** Stops trying; what is there stays. */
  async leave(): Promise<void> {
    this.#isOver = true;
    clearTimeout(this.#timer);
    await this.#working;
  }

  #work(): Promise<void> {
    this.#working ??= this.#workOff().finally(() => {
      this.#working = undefined;
      // What came between the last look and now.
      if (!this.#isOver && (this.#wantsWhole || (this.#isWhole && this.#changed.size > 0)) && !this.#timer)
        void this.#work();
    });
    return this.#working;
  }

  async #workOff(): Promise<void> {
    // All that is told in this turn of the event loop goes together.
    await new Promise((resolve) => setImmediate(resolve));
    while (!this.#isOver) {
      try {
        if (this.#wantsWhole) await this.#makeWhole();
        else if (this.#isWhole && this.#changed.size > 0) await this.#follow();
        else return;
      } catch (error) {
        this.#fail(error as Error);
        return;
      }
    }
  }

  async #makeWhole(): Promise<void> {
    this.#wantsWhole = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#devices();
    if (this.#knowsPeers) {
      this.#changed.clear();
      await this.#speak();
      const wanted = this.#entries(this.#peers.values());
      await writeTables(linesBetween(await readTables(this.plan), wanted, this.plan.device));
    }
    this.#isWhole = true;
    this.#retryMs = retryMsFirst;
    this.#parts.stands(this.plan.network.name, undefined);
  }

  async #follow(): Promise<void> {
    const changed = [...this.#changed];
    this.#changed.clear();
    await this.#speak();
    const before = changed.flatMap(([, subnet]) => subnet ?? []);
    const now = changed.flatMap(([agentId]) => this.#peers.get(agentId) ?? []);
    await writeTables(linesBetween(this.#entries(before), this.#entries(now), this.plan.device));
  }

  async #speak(): Promise<void> {
    const { plan } = this;
    if (plan.network.backend !== "bgp") await this.#parts.bird.remove(plan.network.name);
    if (plan.network.backend !== "bgp" || !this.#way) return;
    const { uplink } = this.#way;
    const network = { plan, peers: [...this.#peers.values()] };
    await this.#parts.bird.set(plan.network.name, network, { ...this.#parts.underlay, uplink });
  }

  /** Groups and the peers may ask at once: it is done once for both. */
  #devices(): Promise<void> {
    this.#making ??= this.#makeDevices().finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  async #makeDevices(): Promise<void> {
    const { plan } = this;
    const uplink = await findUplink(this.#parts.underlay);
    const isNew = await ensureDevices(plan, uplink, this.#parts);
    this.#mtu = mtuInside(uplink, hasTunnel(plan));
    this.#way = { plan, uplink: uplink.name, isOnLink: (ip) => uplink.isOnLink(ip) };
    if (!isNew) return;
    const links = this.#parts.linksOf(plan.network.name);
    await this.#parts.ip.run(links.map((link) => `link set ${link} master ${plan.bridge}`)).catch(() => {});
  }

  #entries(peers: Iterable<OverlaySubnet>): Entries {
    const way = this.#way;
    const others = [...peers].filter(({ agentId }) => agentId !== this.plan.own.agentId);
    return entriesBy(way ? others.flatMap((peer) => entriesOf(peer, way)) : []);
  }

  #fail(error: Error): void {
    const { name } = this.plan.network;
    this.#isWhole = false;
    this.#wantsWhole = true;
    this.#parts.log.warn({ error, network: name, retryMs: this.#retryMs }, "an overlay network is not as it should be");
    this.#parts.stands(name, error.message);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#work();
    }, this.#retryMs);
    this.#timer.unref();
    this.#retryMs = Math.min(retryMsMax, this.#retryMs * 2);
  }
}
