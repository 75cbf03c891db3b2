import type { AssignedPort, PortRequest, Unavailable } from "@muster/proto";
import { type AddressPool, createAddressPool, restoreAddresses, takeThisAddress } from "../../networks/address-pool.ts";
import { groupAddress, groupsIn, parseSubnet } from "../../networks/subnets.ts";
import type { OverlayState } from "../../world/nets.ts";
import type { AgentState, Group } from "./model.ts";
import { modeOfPort, type Place, placesOf } from "./places.ts";
import type { Context } from "./status.ts";

const family = "overlay/";
/** Ports on groups' own addresses that nobody names begin with this number. */
const ownPortFirst = 20_000;

/** An overlay network can be used from now on, with these subnets; or it can't any more. Running groups stay as they are. */
export function overlayChanged(context: Context, name: string, overlay: OverlayState): void {
  const { state, effects } = context;
  const before = state.overlays.get(name);
  if ("reason" in overlay) {
    if (before && !before.pool && before.reason === overlay.reason) return;
    // The addresses that groups have stay taken, in case that the subnet comes back.
    state.overlays.set(name, { subnets: [], pool: undefined, reason: overlay.reason });
  } else {
    if (before?.pool && sameSubnets(before.subnets, overlay.subnets)) return;
    const [subnet = ""] = overlay.subnets;
    const count = Math.min(state.config.addressesMax, groupsIn(parseSubnet(subnet, "ipv4", "subnet")));
    const pool = createAddressPool(count);
    for (const group of state.groups.values())
      if (!group.released)
        for (const { mode, subnets, addressIndex } of placesOf(group))
          if (mode === `${family}${name}` && sameSubnets(subnets, overlay.subnets))
            takeThisAddress(pool, addressIndex, group.key);
    restoreAddresses(pool, releasedAddresses(state, `${family}${name}`, overlay.subnets));
    state.overlays.set(name, { subnets: overlay.subnets, pool, reason: "" });
  }
  effects.push({ type: "tell-networks" });
}

/**
 * Numbers of addresses in a network that groups had which have ended since, the one that has been free for longest first; as
 * far back as there are records of them. Without subnets: of all networks that share the agent's own addresses. O(groups).
 */
export function releasedAddresses(state: AgentState, mode: string, subnets: readonly string[]): number[] {
  const found: { index: number; at: number }[] = [];
  for (const group of state.groups.values()) {
    if (!group.released) continue;
    const at = Math.max(0, ...group.tasks.map(({ latest }) => latest?.at ?? 0));
    for (const place of placesOf(group))
      if (place.addressIndex > 0 && (mode === "" || place.mode === mode) && sameSubnets(place.subnets, subnets))
        found.push({ index: place.addressIndex, at });
  }
  // Of a number that several had, the latest end counts.
  const latest = new Map<number, number>();
  for (const { index, at } of found) latest.set(index, Math.max(at, latest.get(index) ?? 0));
  return [...latest].sort(([, one], [, other]) => one - other).map(([index]) => index);
}

/** Where an address in one of a group's networks comes from; undefined: from nowhere, now. */
export function poolOf(state: AgentState, { mode, subnets }: Place): AddressPool | undefined {
  const overlay = overlayOf(state, mode);
  if (!overlay) return mode.startsWith(family) ? undefined : state.addresses;
  // A group may be in a subnet that the agent had before.
  return subnets.length === 0 || sameSubnets(subnets, overlay.subnets) ? overlay.pool : undefined;
}

/** The group's address there is taken: notes the subnets that it is in, and gives the ports that are on that address. */
export function takeSubnets(state: AgentState, group: Group, place: Place): void {
  const overlay = overlayOf(state, place.mode);
  if (!overlay) return;
  place.subnets = overlay.subnets;
  const [subnet = ""] = overlay.subnets;
  const ip = groupAddress(parseSubnet(subnet, "ipv4", "subnet"), place.addressIndex);
  group.assigned.push(
    ...ownPorts(
      group.ports.filter((port) => modeOfPort(group, port) === place.mode),
      ip,
    ),
  );
}

/** Ports on an address of the group's own: those that it names, and for the others the first numbers that are free. */
function ownPorts(requests: readonly PortRequest[], ip: string): AssignedPort[] {
  const named = new Set(requests.map(insideOf));
  let next = ownPortFirst;
  return requests.map((request) => {
    let to = insideOf(request);
    if (to === 0) {
      while (named.has(next)) next++;
      to = next++;
    }
    return { label: request.label, number: 0, to, protocol: request.protocol, ip, ...networkOf(request) };
  });
}

/** Which network a port is in, where that is not the first. */
export function networkOf({ network = 0 }: PortRequest): { network?: number } {
  return network === 0 ? {} : { network };
}

function insideOf({ to, number }: PortRequest): number {
  return to || number;
}

export interface LackingMode {
  readonly message: string;
  /** The same launch may succeed a moment later, or elsewhere. */
  readonly isPassing: boolean;
}

/** Why groups can't have that network mode here; undefined: they can. */
export function lackingMode(state: AgentState, mode: string): LackingMode | undefined {
  const modes = availableModes(state);
  if (modes.includes(mode)) return undefined;
  const reason = overlayOf(state, mode)?.reason;
  if (reason !== undefined) return { message: `network mode ${mode}: ${reason}`, isPassing: true };
  const isPassing = mode.startsWith(family);
  return { message: `network mode ${mode} is not available on this agent, which has ${modes.join(", ")}`, isPassing };
}

/** Network modes that work here now. */
export function availableModes({ config, overlays }: Pick<AgentState, "config" | "overlays">): string[] {
  const ready = [...overlays].filter(([, { pool }]) => pool !== undefined);
  return [...config.networkModes, ...ready.map(([name]) => `${family}${name}`)];
}

/** Overlay networks that do not work here now, with the reason. */
export function unavailableOverlays({ overlays }: Pick<AgentState, "overlays">): Unavailable[] {
  const lacking = [...overlays].filter(([, { pool }]) => pool === undefined);
  return lacking.map(([name, { reason }]) => ({ name: `network/${family}${name}`, reason }));
}

function overlayOf(state: AgentState, mode: string): ReturnType<AgentState["overlays"]["get"]> {
  return mode.startsWith(family) ? state.overlays.get(mode.slice(family.length)) : undefined;
}

function sameSubnets(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((subnet, index) => subnet === other[index]);
}
