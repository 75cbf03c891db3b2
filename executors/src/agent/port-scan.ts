import type { Cancel, Clock } from "@muster/foundation";
import type { HostNetwork, HostPorts } from "../world/host-ports.ts";
import type { AgentState } from "./core/model.ts";

/** The host's ports are looked through so often. */
export const portScanMs = 30_000;
/** And not more often than that, however many launches find their ports taken. */
export const portScanMsMin = 1_000;
/** Ports of others that a master is told of. */
export const foreignPortsMax = 4_096;

export interface PortScanDeps {
  readonly clock: Clock;
  readonly hostPorts: HostPorts;
  readonly state: AgentState;
  /** The host has these networks. */
  readonly networks: (networks: readonly HostNetwork[]) => void;
  /** The master is to be told: something is not as it was told last. */
  readonly changed: () => void;
}

/** Looks again and again which ports of the host others hold, and which networks the host has. */
export class PortScan {
  readonly #deps: PortScanDeps;
  #next: Cancel | undefined;
  #lastAtMs = Number.NEGATIVE_INFINITY;
  #isSoon = false;
  #isStopped = false;
  #foreign: readonly number[] = [];
  /** What of it the master was told last. */
  #told = "";

  constructor(deps: PortScanDeps) {
    this.#deps = deps;
  }

  /** Ports that none of the agent's tasks hold, as far as the master of this session was told. */
  get foreignPorts(): readonly number[] {
    return this.#foreign;
  }

  /** A master that knows nothing yet. */
  forget(): void {
    this.#foreign = [];
    this.#told = "";
  }

  /** A port of others has been met that the master may not know of: it leaves the next offer, not one in half a minute. */
  soon(): void {
    if (this.#isSoon || this.#isStopped) return;
    this.#isSoon = true;
    this.#next?.();
    const sinceMs = this.#deps.clock.monotonicMs() - this.#lastAtMs;
    this.#next = this.#deps.clock.after(Math.max(0, portScanMsMin - sinceMs), () => this.now());
  }

  stop(): void {
    this.#next?.();
    this.#isStopped = true;
  }

  /** Looks at once, and again after `portScanMs`. */
  now(): void {
    const { clock, hostPorts, state } = this.#deps;
    this.#next?.();
    if (this.#isStopped) return;
    this.#isSoon = false;
    this.#lastAtMs = clock.monotonicMs();
    this.#next = clock.after(portScanMs, () => this.now());
    if (!state.registered) return;
    hostPorts.networks((networks) => {
      this.#deps.networks(networks);
      hostPorts.scan((ports) => this.#compare(ports, networks));
    });
  }

  #compare(ports: readonly number[], networks: readonly HostNetwork[]): void {
    const foreign = ports.filter((port) => !this.#deps.state.ports.held.has(port)).slice(0, foreignPortsMax);
    const text = [...foreign, ...networks.map(({ name, ip }) => `${name}=${ip}`)].join(",");
    if (text === this.#told || this.#isStopped) return;
    this.#told = text;
    this.#foreign = foreign;
    this.#deps.changed();
  }
}
