import type { OverlayNews } from "@muster/executors";
import { overlayDigest } from "@muster/foundation";
import type { OverlayNetwork, OverlaySubnet } from "@muster/proto";

interface Told {
  readonly networks: Map<string, OverlayNetwork>;
  readonly subnets: Map<string, OverlaySubnet>;
}

/** What an agent's process has been told of overlay networks; it is forgotten with the process. */
export class ToldOverlays {
  #told: Told = { networks: new Map(), subnets: new Map() };
  /** What a new session has told so far. */
  #coming: Told | undefined;

  digest(): string {
    return overlayDigest(this.#told.networks.values(), this.#told.subnets.values());
  }

  begin(): void {
    this.#coming = { networks: new Map(), subnets: new Map() };
  }

  tell(one: OverlayNews): void {
    if (one.type === "complete") this.#told = this.#coming ?? this.#told;
    if (one.type === "complete" || one.type === "unchanged") this.#coming = undefined;
    const { networks, subnets } = this.#coming ?? this.#told;
    if (one.type === "network") networks.set(one.network.name, one.network);
    else if (one.type === "subnet") subnets.set(`${one.subnet.network} ${one.subnet.agentId}`, one.subnet);
    else if (one.type === "removal") subnets.delete(`${one.network} ${one.agentId}`);
  }
}
