import { isIPv6 } from "node:net";
import { availableParallelism } from "node:os";
import type { NetSpec } from "../../world/nets.ts";
import { Gate } from "../kernel/gate.ts";
import { furnish, joinLines, linkInside } from "../kernel/group-link.ts";
import { hasIpv6, linksOf, uplinkMtu } from "../kernel/host.ts";
import type { IpBatch } from "../kernel/ip-batch.ts";
import type { NetBuilder, OwnedGroups } from "../kernel/net-builder.ts";
import { NftBatch } from "../kernel/nft-batch.ts";
import { UdpFlows } from "./conntrack.ts";
import { PortHolder } from "./port-holder.ts";
import { addElements, elementsOf, type MapElement, removeElements } from "./ruleset.ts";
import {
  type BridgePlan,
  type BridgeSettings,
  groupAddresses,
  groupIps,
  hardwareAddress,
  linkOf,
  planBridge,
} from "./settings.ts";
import { SharedBridge } from "./shared-bridge.ts";

export interface BridgeBuilderOptions {
  /** Of the agent; see `ownerOf`. */
  readonly owner: string;
  readonly settings: BridgeSettings;
  readonly ip: IpBatch;
}

export function bridgeBuilder({ owner, settings, ip }: BridgeBuilderOptions): NetBuilder {
  return new BridgeBuilder(planBridge(owner, settings, hasIpv6()), ip);
}

/** Groups behind a bridge. One run of `ip` and one of `nft` serve all that wait; one `ip` more per group goes inside. */
class BridgeBuilder implements NetBuilder {
  readonly mode = "bridge";
  readonly needsNamespaceToRemove = false;
  readonly #plan: BridgePlan;
  readonly #mtu: number;
  readonly #ip: IpBatch;
  readonly #nft = new NftBatch();
  readonly #shared: SharedBridge;
  readonly #holder: PortHolder;
  readonly #flows = new UdpFlows();
  readonly #inside = new Gate(availableParallelism() * 2);

  constructor(plan: BridgePlan, ip: IpBatch) {
    this.#plan = plan;
    this.#mtu = plan.mtu || uplinkMtu();
    this.#ip = ip;
    this.#shared = new SharedBridge(plan, this.#mtu, ip, this.#nft);
    this.#holder = new PortHolder(plan.owner);
  }

  async prepare(spec: NetSpec, namespace: string): Promise<readonly string[]> {
    const foreign = spec.ports.find(({ hostNetwork, ip }) => hostNetwork && isIPv6(ip));
    if (foreign && !this.#plan.subnet6)
      throw new Error(`host network ${foreign.hostNetwork} has IPv6, and groups of this agent have none`);
    await Promise.all([this.#shared.ensure(), this.#holder.hold(spec)]);
    const link = linkOf(this.#plan, spec);
    const hardware = hardwareAddress(this.#plan, spec.addressIndex);
    const lines = joinLines(
      { link, bridge: this.#plan.bridge, mtu: this.#mtu, hardware, inside: linkInside(spec) },
      namespace,
    );
    return [...lines, `link set ${link} type bridge_slave hairpin on`];
  }

  async build(spec: NetSpec, namespace: string, wasThere: boolean): Promise<readonly string[]> {
    // Both come to their ends before anything is taken away again.
    const outcomes = await Promise.allSettled([
      this.#inside.pass(() => furnish(namespace, groupAddresses(this.#plan, spec.addressIndex), spec.index)),
      this.#map(spec, wasThere),
    ]);
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    return groupIps(this.#plan, spec.addressIndex);
  }

  async remove(spec: NetSpec): Promise<void> {
    const elements = elementsOf(this.#plan, spec);
    if (elements.length > 0 && this.#shared.isThere()) await this.#unmap(elements);
    await this.#holder.free(spec.key);
  }

  async hostEnd(spec: NetSpec): Promise<string> {
    return linkOf(this.#plan, spec);
  }

  async reconcile(groups: OwnedGroups): Promise<void> {
    await this.#reconcilePorts(groups);
    if (!this.#shared.isThere()) return;
    const ofMode = groups.owned().filter(({ mode }) => mode === this.mode);
    const present = await this.#shared.elements();
    const links = new Set(ofMode.map((spec) => linkOf(this.#plan, spec)));
    const strays = linksOf(this.#plan.bridge).filter((link) => !links.has(link));
    await this.#ip.run(strays.map((link) => `link del ${link}`)).catch(() => {});
    const owned = new Set(ofMode.flatMap((spec) => elementsOf(this.#plan, spec).map(textOf)));
    const stale = present.filter((element) => !owned.has(textOf(element)));
    if (stale.length > 0) await this.#unmap(stale);
    const there = new Set(present.map(textOf));
    // From here on without a pause: what is ready now must not be asked to go before its ports are on their way.
    const ready = groups.ready().filter(({ mode }) => mode === this.mode);
    const lacking = ready.flatMap((spec) => elementsOf(this.#plan, spec)).filter((one) => !there.has(textOf(one)));
    await this.#nft.apply(addElements(this.#plan, lacking));
  }

  async close(): Promise<void> {
    for (const key of await this.#holder.keys()) await this.#holder.free(key);
    await this.#holder.close();
    await this.#shared.close();
  }

  async leave(): Promise<void> {
    await this.#flows.settled();
    await this.#holder.close();
  }

  async #reconcilePorts(groups: OwnedGroups): Promise<void> {
    const held = new Set(await this.#holder.keys());
    for (const key of held) if (!groups.isOwned(key)) await this.#holder.free(key);
    for (const spec of groups.ready())
      if (spec.mode === this.mode && !held.has(spec.key)) await this.#holder.hold(spec).catch(() => {});
  }

  async #map(spec: NetSpec, wasThere: boolean): Promise<void> {
    const elements = elementsOf(this.#plan, spec);
    await this.#nft.apply(addElements(this.#plan, elements));
    if (!wasThere) this.#flows.forget(udpPorts(elements));
  }

  async #unmap(elements: readonly MapElement[]): Promise<void> {
    const errors = await Promise.all(
      elements.map((one) =>
        this.#nft.apply(removeElements(this.#plan, [one])).then(
          () => undefined,
          (error: Error) => error,
        ),
      ),
    );
    // What leads elsewhere is not the group's: its making has failed for that.
    for (const error of errors) if (error && !error.message.includes("File exists")) throw error;
    this.#flows.forget(udpPorts(elements));
  }
}

function textOf({ map, key, target }: MapElement): string {
  return `${map} ${key} ${target}`;
}

function udpPorts(elements: readonly MapElement[]): number[] {
  const ports = elements.flatMap(({ key }) => {
    const [port, protocol] = key.split(" . ").reverse();
    return protocol === "udp" ? Number(port) : [];
  });
  return [...new Set(ports)];
}
