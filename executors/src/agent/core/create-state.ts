import type { Random } from "@muster/foundation";
import { createAddressPool } from "../../networks/address-pool.ts";
import { createPorts } from "../../ports/allocator.ts";
import type { AgentState, CoreConfig } from "./model.ts";
import { nothingSetAside } from "./set-aside/model.ts";

export interface PortRange {
  readonly first: number;
  readonly last: number;
  readonly reuseAfterMs: number;
}

/** An agent that knows of no task yet. */
export function createState(config: CoreConfig, range: PortRange, random: Random, epochSeen: number): AgentState {
  return {
    config,
    random,
    secrets: random.stream("secrets"),
    ports: createPorts(range.first, range.last, range.reuseAfterMs),
    addresses: createAddressPool(config.addressesMax),
    overlays: new Map(),
    hostNetworks: new Map(),
    groups: new Map(),
    openGroups: new Set(),
    forgetFirstAt: Number.POSITIVE_INFINITY,
    launches: new Map(),
    tasks: new Map(),
    named: new Map(),
    executors: new Map(),
    executorsEnded: [],
    attached: new Map(),
    killsAhead: new Map(),
    registered: false,
    awaySinceMs: undefined,
    refusing: "",
    epochSeen,
    probesUnderWay: { own: new Set(), helped: new Set() },
    healthKills: new Map(),
    portWatch: { nextAtMs: 0, isUnderWay: false, told: new Map() },
    diskWatch: { nextAtMs: 0, isUnderWay: false },
    lending: { nextAtMs: 0, isUnderWay: false, cpuMillis: 0, measuredCount: 0, uses: new Map() },
    endsWaiting: new Map(),
    setAside: { kept: nothingSetAside, wanted: nothingSetAside, pending: new Map(), waiting: [] },
    catalog: { wanted: new Map(), known: new Map() },
    keyCount: 0,
    disk: { totalBytes: 0, freeBytes: 0 },
  };
}
