import { existsSync, promises as fs } from "node:fs";
import type { Unavailable, Underlay } from "@muster/proto";
import { sharedRules } from "../../networks/bridge/ruleset.ts";
import { type BridgeSettings, planBridge } from "../../networks/bridge/settings.ts";
import { overlapText } from "../../networks/bridge/shared-bridge.ts";
import { bridgeChain } from "../../networks/cni/bridge-chain.ts";
import { findCniNetworks, whyNot } from "../../networks/cni/find-networks.ts";
import type { CniSettings } from "../../networks/cni/settings.ts";
import { hasIpv6, overlappingRoute } from "../../networks/kernel/host.ts";
import { runTool } from "../../networks/kernel/run-tool.ts";
import { addLimits } from "../../networks/limits/connections.ts";
import { shaperGroup, shaperOf } from "../../networks/limits/limits.ts";
import { rateLines } from "../../networks/limits/rates.ts";
import { findOverlayBackends } from "./overlay-backends.ts";

export interface NetworkModes {
  /** Those that work here. */
  readonly modes: readonly string[];
  /** The others, with the reason and what would mend it. */
  readonly unavailable: readonly Unavailable[];
  /** What of the host is to be told of them. */
  readonly attributes: Readonly<Record<string, string>>;
  /** How the host takes part in overlay networks; undefined: it can't. */
  readonly underlay: Underlay | undefined;
}

/** Of the namespaces in which it is found out what works; the agent's pid follows. */
const probePrefix = "muster-probe-";

/** Finds out what networks can be made, by making one in a namespace that goes again. The host's own is not touched. */
export async function findNetworkModes(
  owner: string,
  bridge: BridgeSettings,
  cni: CniSettings,
  ips: Pick<Underlay, "ip" | "ip6"> = { ip: "127.0.0.1", ip6: "" },
): Promise<NetworkModes> {
  const probe = `${probePrefix}${process.pid}`;
  const fault = await makeNamespace(probe);
  if (fault !== undefined) {
    const unavailable = ["bridge", "none", "cni", "overlay"].map((name) => ({
      name: `network/${name}`,
      reason: fault,
    }));
    return { modes: ["host"], unavailable, attributes: {}, underlay: undefined };
  }
  const bridgeFault = await (bridge.driver === "cni"
    ? whyNot(bridgeChain("/", bridge).network, cni, {})
    : whyNoBridge(probe, owner, bridge));
  const overlay = await findOverlayBackends(probe, ips.ip, ips.ip6);
  const limitsFault = await whyNoLimits(probe, owner);
  await runTool("ip", ["netns", "del", probe]).catch(() => {});
  const found = await findCniNetworks(cni);
  const lacking = [
    ...(bridgeFault === undefined ? [] : [{ name: "network/bridge", reason: bridgeFault }]),
    ...(limitsFault === undefined ? [] : [{ name: "network/limits", reason: limitsFault }]),
  ];
  return {
    modes: ["host", ...(bridgeFault === undefined ? ["bridge"] : []), "none", ...found.modes],
    unavailable: [...lacking, ...overlay.unavailable, ...found.unavailable],
    attributes: { ...found.attributes, ...(limitsFault === undefined ? { "network.limits": "1" } : {}) },
    underlay: overlay.underlay,
  };
}

/** Why no network namespaces can be made; undefined if they can, and this one is. */
async function makeNamespace(name: string): Promise<string | undefined> {
  if (process.platform !== "linux") return "agents run on Linux only";
  if (process.getuid?.() !== 0) return "the agent is not root: run it with sudo";
  await removeLeftProbes();
  return await runTool("ip", ["netns", "add", name]).then(() => undefined, textOf);
}

/** Namespaces of agents that were killed while they looked. */
async function removeLeftProbes(): Promise<void> {
  for (const name of await fs.readdir("/run/netns").catch(() => [])) {
    const pid = name.startsWith(probePrefix) ? name.slice(probePrefix.length) : "";
    if (pid !== "" && !existsSync(`/proc/${pid}`)) await runTool("ip", ["netns", "del", name]).catch(() => {});
  }
}

/** Why groups can't be put behind a bridge; undefined if they can. */
async function whyNoBridge(probe: string, owner: string, settings: BridgeSettings): Promise<string | undefined> {
  const plan = planBridge(owner, settings, hasIpv6());
  try {
    await runTool(
      "ip",
      ["-n", probe, "-batch", "-"],
      `link add ${plan.bridge} type bridge\nlink add muster0 type veth peer name muster1\n`,
    );
    await runTool("ip", ["netns", "exec", probe, "nft", "-f", "-"], `${sharedRules(plan)}\n`);
    for (const subnet of [plan.subnet, ...(plan.subnet6 ? [plan.subnet6] : [])]) {
      const route = await overlappingRoute(subnet, [plan.bridge]);
      if (route !== undefined) return overlapText(subnet.text, route);
    }
    return undefined;
  } catch (error) {
    return textOf(error as Error);
  }
}

/** Why networks can't be bounded; undefined if they can. */
async function whyNoLimits(probe: string, owner: string): Promise<string | undefined> {
  const limits = { downMbit: 1, upMbit: 1, connections: 1, connectionsPerSecond: 1 };
  const group = { id: "probe", link: "muster2", ips: ["192.0.2.1", "2001:db8::1"], limits };
  const within = (program: string, words: readonly string[], input: string): Promise<string> =>
    runTool("ip", ["netns", "exec", probe, program, ...words], input);
  try {
    const shaper = `link add ${shaperOf(owner, group.id)} group ${shaperGroup(owner)} type ifb`;
    await runTool("ip", ["-n", probe, "-batch", "-"], `link add muster2 type veth peer name muster3\n${shaper}\n`);
    await within("tc", ["-batch", "-"], `${rateLines(owner, group).join("\n")}\n`);
    await within("nft", ["-f", "-"], `${addLimits(owner, group)}\n`);
    return undefined;
  } catch (error) {
    const { message } = error as Error;
    if (/exec of "tc" failed/.test(message)) return "tc was not found: apt-get install iproute2";
    if (/exec of "nft" failed/.test(message)) return textOf(error as Error);
    return `the kernel lacks a part: modprobe -a ifb sch_tbf sch_ingress cls_u32 act_mirred nft_connlimit nft_limit (${message.trim()})`;
  }
}

/** What to install stands beside what is missing. */
function textOf({ message }: Error): string {
  if (/exec of "nft" failed|nft could not be run/.test(message)) return "nft was not found: apt-get install nftables";
  if (message.includes("ENOENT")) return "ip was not found: apt-get install iproute2";
  return message;
}
