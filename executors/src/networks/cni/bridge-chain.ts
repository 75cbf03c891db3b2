import { join } from "node:path";
import { type BridgeSettings, planBridge } from "../bridge/settings.ts";
import { hasIpv6 } from "../kernel/host.ts";
import { ownerOf } from "../kernel/namespaces.ts";
import type { FixedNetwork } from "./builder.ts";
import { parseNetworkList } from "./network-list.ts";

/**
 * The agent's bridge as CNI's usual plugins make it, with the same subnets: an address by host-local, the bridge, accepting
 * rules, and ports of the host. For hosts on which other tools expect that form.
 */
export function bridgeChain(dataFolder: string, settings: BridgeSettings): FixedNetwork {
  const { bridge, subnet, subnet6, mtu } = planBridge(ownerOf(dataFolder), settings, hasIpv6());
  const ranges = [[{ subnet: subnet.text }], ...(subnet6 ? [[{ subnet: subnet6.text }]] : [])];
  const routes = [{ dst: "0.0.0.0/0" }, ...(subnet6 ? [{ dst: "::/0" }] : [])];
  const ipam = { type: "host-local", dataDir: join(dataFolder, "networks", "bridge-addresses"), ranges, routes };
  const plugins = [
    { type: "bridge", bridge, isGateway: true, ipMasq: true, hairpinMode: true, ...(mtu > 0 ? { mtu } : {}), ipam },
    { type: "firewall" },
    { type: "portmap", capabilities: { portMappings: true } },
  ];
  const text = JSON.stringify({ name: bridge, cniVersion: "1.0.0", plugins });
  return { mode: "bridge", network: { path: "bridge", text, list: parseNetworkList(text, "bridge") }, link: bridge };
}
