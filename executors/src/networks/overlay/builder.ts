import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import type { NetSpec } from "../../world/nets.ts";
import { hasLink, linksOf } from "../bridge/host.ts";
import { gatewayOf } from "../bridge/subnets.ts";
import { Gate } from "../kernel/gate.ts";
import type { IpBatch } from "../kernel/ip-batch.ts";
import type { NetBuilder, OwnedGroups } from "../kernel/net-builder.ts";
import { runTool } from "../kernel/run-tool.ts";
import type { OverlayHost } from "./overlay-host.ts";
import { groupHardware, groupIpsIn, parseSubnets } from "./plan.ts";

export interface OverlayBuilderOptions {
  readonly owner: string;
  readonly ip: IpBatch;
  readonly host: OverlayHost;
}

/** The host's end of a group's link: never used twice, for the kernel lets go of one a while after its namespace. */
export function overlayLinkOf(owner: string, key: string): string {
  return `mw${createHash("sha256").update(`${owner}/${key}`).digest("hex").slice(0, 13)}`;
}

/** Groups with addresses of an overlay network: a link to its bridge, and nothing that peers need to hear of. */
export function overlayBuilder({ owner, ip, host }: OverlayBuilderOptions): NetBuilder {
  const inside = new Gate(availableParallelism() * 2);

  const furnish = async (spec: NetSpec, namespace: string): Promise<string[]> => {
    const subnets = parseSubnets(spec.subnets ?? []);
    const ips = groupIpsIn(subnets, spec.addressIndex);
    const lines = ["link set lo up"];
    for (const [index, { prefix, bytes }] of subnets.entries())
      lines.push(`addr replace ${ips[index]}/${prefix} dev eth0${bytes.length > 4 ? " nodad" : ""}`);
    lines.push("link set eth0 up");
    for (const subnet of subnets) {
      const everywhere = subnet.bytes.length > 4 ? "::/0" : "default";
      lines.push(`route replace ${everywhere} via ${gatewayOf(subnet)} dev eth0`);
    }
    await runTool("ip", ["-n", namespace, "-batch", "-"], `${lines.join("\n")}\n`);
    return ips;
  };

  return {
    mode: "overlay",
    needsNamespaceToRemove: false,
    async prepare(spec, namespace) {
      const net = host.netOf(spec);
      await net.ready();
      const { bridge } = net.plan;
      const link = overlayLinkOf(owner, spec.key);
      const subnets = parseSubnets(spec.subnets ?? []);
      const [ip = ""] = groupIpsIn(subnets, spec.addressIndex);
      const mtu = net.mtu;
      const lines = [
        // A group may be in a subnet that the agent had before: its way out is there, too.
        ...subnets.map(
          (subnet) =>
            `addr replace ${gatewayOf(subnet)}/${subnet.prefix} dev ${bridge}${subnet.bytes.length > 4 ? " nodad" : ""}`,
        ),
        `link set ${link} master ${bridge} addrgenmode none up`,
      ];
      if (hasLink(link)) return lines;
      return [
        `link add ${link} mtu ${mtu} type veth peer name eth0 mtu ${mtu} address ${groupHardware(ip)} netns ${namespace}`,
        ...lines,
      ];
    },
    build: (spec, namespace) => inside.pass(() => furnish(spec, namespace)),
    remove: async () => {},
    async reconcile(groups: OwnedGroups) {
      const ofMode = groups.owned().filter(({ mode }) => mode.startsWith("overlay/"));
      const links = new Set(ofMode.map(({ key }) => overlayLinkOf(owner, key)));
      const strays = host.bridges().flatMap((bridge) => linksOf(bridge).filter((link) => !links.has(link)));
      await ip.run(strays.map((link) => `link del ${link}`)).catch(() => {});
      host.mend();
    },
    close: (isEnd) => host.close(isEnd),
    leave: () => host.leave(),
  };
}
