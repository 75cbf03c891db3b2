import { releaseAddress } from "../../networks/address-pool.ts";
import { releasePorts } from "../../ports/allocator.ts";
import type { Group } from "./model.ts";
import { netSpec } from "./net.ts";
import { poolOf } from "./overlays.ts";
import { placesOf } from "./places.ts";
import type { Context } from "./status.ts";

/**
 * Nothing of a group runs any more: its networks go, and with them its ports and its addresses. They are not given to others
 * before nothing of the network is left. Doing it twice changes nothing.
 */
export function closeGroup(context: Context, group: Group): void {
  if (group.net.name === "host" || group.net.name === "gone") {
    giveBack(context, group);
    return;
  }
  if (group.net.name === "removing") return;
  group.net = { name: "removing" };
  context.effects.push({ type: "remove-net", spec: netSpec(group) });
}

/** Nothing is left of the network that a group had. */
export function netGone(context: Context, key: string): void {
  const group = context.state.groups.get(key);
  if (group?.net.name !== "removing") return;
  group.net = { name: "gone" };
  giveBack(context, group);
}

/** Returns the ports and the addresses of a group. Doing it twice changes nothing. */
export function giveBack({ state, now }: Context, group: Group): void {
  if (group.released) return;
  group.released = true;
  const numbers = [...group.assigned.map(({ number }) => number), ...group.ports.map(({ number }) => number)];
  releasePorts(state.ports, group.key, numbers, now.monotonicMs);
  for (const place of placesOf(group)) {
    const pool = poolOf(state, place);
    if (pool) releaseAddress(pool, place.addressIndex, group.key);
  }
}
