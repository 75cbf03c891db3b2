import type { Network } from "../world/network.ts";
import type { World } from "../world/world.ts";
import type { Affliction } from "./nemesis.ts";

/** Faults beside those of `afflictionsOf`: runs that do not ask for them are as they were without them. */
export function rareAfflictions(world: World, network: Network): Affliction[] {
  const random = world.random("rare-afflictions");
  return [
    // Its client goes on with another connection, while what it said on this one may still arrive.
    { fault: "stale-connection", component: "network", inflict: () => network.loseOneClient(random) },
  ];
}
