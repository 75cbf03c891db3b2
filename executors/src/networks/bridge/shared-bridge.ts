import { hasLink, openHost, overlappingRoute } from "../kernel/host.ts";
import type { IpBatch } from "../kernel/ip-batch.ts";
import type { NftBatch } from "../kernel/nft-batch.ts";
import { runToEnd } from "../kernel/run-tool.ts";
import { leaveDocker, passDocker } from "./docker-user.ts";
import { type MapElement, readElements, sharedRules } from "./ruleset.ts";
import { type BridgePlan, bridgeIps, hardwareAddress } from "./settings.ts";

/** What all groups of an agent share: the bridge, its addresses and its rules. It is there while there are groups. */
export class SharedBridge {
  readonly #plan: BridgePlan;
  readonly #mtu: number;
  readonly #ip: IpBatch;
  readonly #nft: NftBatch;
  #made: Promise<void> | undefined;
  /** Making and removing come one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(plan: BridgePlan, mtu: number, ip: IpBatch, nft: NftBatch) {
    this.#plan = plan;
    this.#mtu = mtu;
    this.#ip = ip;
    this.#nft = nft;
  }

  /** Makes it, or makes sure of it, once in the life of the agent. Costs nothing afterwards. */
  ensure(): Promise<void> {
    this.#made ??= this.#inTurn(() => this.#make()).catch((error) => {
      this.#made = undefined;
      throw error;
    });
    return this.#made;
  }

  /** The ports that lead to groups now. Rules that somebody has flushed are made anew, without ports. */
  async elements(): Promise<MapElement[]> {
    const { table } = this.#plan;
    const { code, output } = await runToEnd("nft", ["-j", "list", "table", "inet", table]);
    if (code === 0 && hasLink(this.#plan.bridge)) return readElements(output);
    this.#made = undefined;
    await this.ensure();
    return code === 0 ? readElements(output) : [];
  }

  isThere(): boolean {
    return hasLink(this.#plan.bridge);
  }

  /** Nothing of it is left. Costs nothing if nothing is there. */
  close(): Promise<void> {
    if (!this.isThere()) return Promise.resolve();
    this.#made = undefined;
    return this.#inTurn(() => this.#unmake());
  }

  #inTurn(act: () => Promise<void>): Promise<void> {
    const next = this.#last.then(act);
    this.#last = next.catch(() => {});
    return next;
  }

  async #make(): Promise<void> {
    const { bridge, subnet, subnet6 } = this.#plan;
    const hardware = hardwareAddress(this.#plan, 0);
    if (!this.isThere()) {
      for (const each of [subnet, ...(subnet6 ? [subnet6] : [])]) {
        const route = await overlappingRoute(each, [bridge]);
        if (route !== undefined) throw new Error(overlapText(each.text, route));
      }
      await this.#ip.run([`link add ${bridge} address ${hardware} mtu ${this.#mtu} type bridge mcast_snooping 0`]);
    }
    await openHost(bridge, subnet6 !== undefined);
    await this.#ip.run([
      ...bridgeIps(this.#plan).map((ip) => `addr replace ${ip} dev ${bridge}${ip.includes(":") ? " nodad" : ""}`),
      `link set ${bridge} up`,
    ]);
    await this.#nft.apply(sharedRules(this.#plan));
    await passDocker(this.#plan);
  }

  /** The link goes last: while it is there, somebody comes to remove the rest. */
  async #unmake(): Promise<void> {
    const { table, bridge } = this.#plan;
    await leaveDocker(this.#plan);
    await this.#nft.apply(`add table inet ${table}\ndelete table inet ${table}`);
    await this.#ip.run([`link del ${bridge}`]);
  }
}

/** What is wrong, and what mends it. */
export function overlapText(subnet: string, route: string): string {
  const setting = subnet.includes(":") ? "bridge-subnet6" : "bridge-subnet";
  return `the subnet ${subnet} overlaps the host's route ${route}: give the agent another with --${setting}`;
}
