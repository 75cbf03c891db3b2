import { bridgeNetwork } from "./bridge/index.ts";
import { cniNetwork } from "./cni/index.ts";
import { hostNetwork } from "./host/index.ts";
import type { Network } from "./network.ts";
import { noNetwork } from "./none/index.ts";
import { overlayNetwork } from "./overlay/index.ts";

const networks: readonly Network[] = [hostNetwork, bridgeNetwork, noNetwork, cniNetwork, overlayNetwork];

/** The mode of that name, or of that family. */
export function findNetwork(mode: string): Network | undefined {
  const slash = mode.indexOf("/");
  const family = slash < 0 ? mode : mode.slice(0, slash);
  return networks.find((network) => network.name === family);
}

export const networkModeNames: readonly string[] = networks.map(({ name }) => name);
