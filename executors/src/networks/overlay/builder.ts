import { availableParallelism } from "node:os";
import type { NetSpec } from "../../world/nets.ts";
import { Gate } from "../kernel/gate.ts";
import { furnish, type GroupAddress, groupLinkName, joinLines, linkInside } from "../kernel/group-link.ts";
import { linksOf } from "../kernel/host.ts";
import type { IpBatch } from "../kernel/ip-batch.ts";
import type { NetBuilder, OwnedGroups } from "../kernel/net-builder.ts";
import { gatewayOf, groupAddress } from "../subnets.ts";
import type { OverlayHost } from "./overlay-host.ts";
import { groupHardware, parseSubnets } from "./plan.ts";

export interface OverlayBuilderOptions {
  readonly owner: string;
  readonly ip: IpBatch;
  readonly host: OverlayHost;
}

export function overlayLinkOf(owner: string, spec: NetSpec): string {
  return groupLinkName("mw", owner, spec);
}

/** Groups with addresses of an overlay network: a link to its bridge, and nothing that peers need to hear of. */
export function overlayBuilder({ owner, ip, host }: OverlayBuilderOptions): NetBuilder {
  const inside = new Gate(availableParallelism() * 2);

  const addressesOf = (spec: NetSpec): GroupAddress[] =>
    parseSubnets(spec.subnets ?? []).map((subnet) => ({ ip: groupAddress(subnet, spec.addressIndex), subnet }));

  return {
    mode: "overlay",
    needsNamespaceToRemove: false,
    async prepare(spec, namespace) {
      const net = host.netOf(spec);
      await net.ready();
      const { bridge } = net.plan;
      const link = overlayLinkOf(owner, spec);
      const addresses = addressesOf(spec);
      const hardware = groupHardware(addresses[0]?.ip ?? "");
      return [
        // A group may be in a subnet that the agent had before: its way out is there, too.
        ...addresses.map(
          ({ ip, subnet }) =>
            `addr replace ${gatewayOf(subnet)}/${subnet.prefix} dev ${bridge}${ip.includes(":") ? " nodad" : ""}`,
        ),
        ...joinLines({ link, bridge, mtu: net.mtu, hardware, inside: linkInside(spec) }, namespace),
      ];
    },
    async build(spec, namespace) {
      const { cidr, cidr6 } = host.netOf(spec).plan.network;
      const addresses = addressesOf(spec).map((one) => ({ ...one, range: one.ip.includes(":") ? cidr6 : cidr }));
      await inside.pass(() => furnish(namespace, addresses, spec.index));
      return addresses.map(({ ip }) => ip);
    },
    hostEnd: async (spec) => overlayLinkOf(owner, spec),
    remove: async () => {},
    async reconcile(groups: OwnedGroups) {
      const ofMode = groups.owned().filter(({ mode }) => mode.startsWith("overlay/"));
      const links = new Set(ofMode.map((spec) => overlayLinkOf(owner, spec)));
      const strays = host.bridges().flatMap((bridge) => linksOf(bridge).filter((link) => !links.has(link)));
      await ip.run(strays.map((link) => `link del ${link}`)).catch(() => {});
      host.mend();
    },
    close: (isEnd) => host.close(isEnd),
    leave: () => host.leave(),
  };
}
