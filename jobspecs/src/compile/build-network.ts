import { isIP } from "node:net";
import { didYouMean } from "../diagnostics/suggest.ts";
import {
  type FurtherNetwork,
  hasOwnPorts,
  isAlone,
  isNetworkMode,
  moreNetworksMax,
  type Network,
  type NetworkDns,
  type NetworkLimits,
  type NetworkMode,
  type NetworkPort,
  networkModes,
} from "../job/types.ts";
import type { DecodedBlock } from "./decoded.ts";

/** The networks of a group: the first block is its own, further ones are beside it. */
export function buildNetwork(group: DecodedBlock | undefined, tasks: readonly DecodedBlock[]): Network {
  const blocks = group?.all("network") ?? [];
  const old = tasks.flatMap((task) => task.first("resources")?.all("network") ?? []);
  if (old.length > 0) return buildOldNetwork(old, blocks[0]);
  const [first, ...others] = blocks;
  if (!first) return { mode: "host", ports: [] };
  const modes = blocks.map(modeOf);
  refuseWrongSets(blocks, modes);
  const ports: NetworkPort[] = [];
  for (const [index, block] of blocks.entries()) addPorts(block, index, modes, ports);
  const hostname = first.text("hostname");
  const dns = first.first("dns");
  const more = others.map((block, at): FurtherNetwork => {
    const mode = modes[at + 1] ?? "host";
    return { mode, ...limitsOf(block, mode) };
  });
  return {
    mode: modes[0] ?? "host",
    ...(hostname === undefined ? {} : { hostname }),
    ...(dns === undefined ? {} : { dns: buildDns(dns) }),
    ...limitsOf(first, modes[0] ?? "host"),
    ports,
    ...(more.length > 0 ? { more } : {}),
  };
}

/** Ports that tasks ask for in their resources, as jobs for Nomad before 0.12 do, are the group's. */
function buildOldNetwork(old: readonly DecodedBlock[], own: DecodedBlock | undefined): Network {
  const place = { code: "job/old-network", hint: "move it out of resources, into the group" };
  const [first] = old;
  if (own)
    first?.error(undefined, { ...place, summary: "the group has a network of its own, where these ports belong" });
  for (const block of old)
    block.warning(undefined, { ...place, summary: "network stands in the group now, and is taken as that" });
  const mode = first ? modeOf(first) : "host";
  const ports: NetworkPort[] = [];
  for (const block of old) addPorts(block, 0, [mode], ports);
  return { mode, ports };
}

function modeOf(block: DecodedBlock): NetworkMode {
  const text = block.text("mode") ?? "host";
  if (isNetworkMode(text)) return text;
  block.error("mode", {
    code: "job/network-mode",
    summary: `network mode "${text}" is not available in this release`,
    hint: didYouMean(text, networkModes) ?? 'use mode = "host", "bridge", "none", "cni/NAME" or "overlay/NAME"',
  });
  return "host";
}

/** What can't stand beside another network, and what is said once for all of them. */
function refuseWrongSets(blocks: readonly DecodedBlock[], modes: readonly NetworkMode[]): void {
  if (blocks.length > moreNetworksMax + 1)
    blocks[moreNetworksMax + 1]?.error(undefined, {
      code: "job/networks",
      summary: `a group has at most ${moreNetworksMax + 1} networks`,
    });
  for (const [index, block] of blocks.entries()) {
    const mode = modes[index] ?? "host";
    if (blocks.length > 1 && isAlone(mode) && isNetworkMode(block.text("mode") ?? "host"))
      block.error("mode", {
        code: "job/networks",
        summary: `a group in network mode "${mode}" can have no other network`,
      });
    else if (modes.indexOf(mode) < index && !isAlone(mode))
      block.error("mode", { code: "job/networks", summary: `the group is in network "${mode}" already` });
    if (index === 0) continue;
    if (block.text("hostname") !== undefined)
      block.error("hostname", {
        code: "job/networks",
        summary: "a group has one host name",
        hint: "write it in the first network block",
      });
    block.first("dns")?.error(undefined, {
      code: "job/networks",
      summary: "a group has one resolver",
      hint: "write dns in the first network block",
    });
  }
}

function addPorts(block: DecodedBlock, index: number, modes: readonly NetworkMode[], ports: NetworkPort[]): void {
  const mode = modes[index] ?? "host";
  const isOnHost = (place: number): boolean => !hasOwnPorts(modes[place] ?? "host");
  const before = ports.length;
  for (const port of block.all("port")) {
    if (!/^[A-Za-z0-9_-]{1,63}$/.test(port.label)) {
      port.error(undefined, { code: "job/bad-name", summary: `"${port.label}" can't be a port's label` });
    }
    const fixed = port.number("static");
    const to = port.number("to");
    const hostNetwork = hostNetworkOf(port);
    if (ports.some((other) => other.label === port.label)) {
      port.error(undefined, { code: "job/repeated", summary: `two ports are named "${port.label}"` });
    }
    const isTaken = (other: NetworkPort): boolean =>
      other.static === fixed &&
      ((other.network ?? 0) === index || (isOnHost(index) && isOnHost(other.network ?? 0))) &&
      (!hostNetwork || !other.hostNetwork || hostNetwork === other.hostNetwork);
    if (fixed !== undefined && ports.some(isTaken)) {
      port.error("static", { code: "job/port-twice", summary: `port ${fixed} is asked for twice` });
    }
    ports.push({
      label: port.label,
      ...(fixed === undefined ? {} : { static: fixed }),
      ...(to === undefined ? {} : { to }),
      ...(hostNetwork === undefined ? {} : { hostNetwork }),
      ...(index === 0 ? {} : { network: index }),
    });
  }
  if (mode === "none" && ports.length > before) {
    block.error("mode", {
      code: "job/network-mode",
      summary: 'a group in network mode "none" can have no ports',
      hint: 'use mode = "bridge" for a network of its own with ports',
    });
  }
}

function limitsOf(block: DecodedBlock, mode: NetworkMode): { limits?: NetworkLimits } {
  const limits = block.first("limits");
  if (limits === undefined) return {};
  if (isAlone(mode)) {
    limits.error(undefined, {
      code: "job/network-limits",
      summary: `a group in network mode "${mode}" can have no limits of its network`,
      hint: 'use mode = "bridge"',
    });
  }
  return { limits: buildLimits(limits) };
}

/** "default" is every address, as where nothing is said. */
function hostNetworkOf(port: DecodedBlock): string | undefined {
  const name = port.text("host_network");
  if (name === undefined || name === "default") return undefined;
  if (!/^[A-Za-z0-9_-]{1,63}$/.test(name))
    port.error("host_network", { code: "job/bad-name", summary: `"${name}" can't be the name of a host network` });
  return name;
}

function buildLimits(block: DecodedBlock): NetworkLimits {
  const found = {
    downMbit: block.number("down_mbit"),
    upMbit: block.number("up_mbit"),
    connections: block.number("connections"),
    connectionsPerSecond: block.number("connections_per_second"),
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}

function buildDns(block: DecodedBlock): NetworkDns {
  const servers = block.texts("servers") ?? [];
  const wrong = servers.find((server) => isIP(server) === 0);
  if (wrong !== undefined) block.error("servers", { code: "job/bad-address", summary: `"${wrong}" is no address` });
  return { servers, searches: block.texts("searches") ?? [], options: block.texts("options") ?? [] };
}
