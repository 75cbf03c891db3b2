import { type MusterError, overlayDigest } from "@muster/foundation";
import type { OverlayChange, OverlayNetwork, OverlayRecord, OverlaySubnet } from "@muster/proto";
import { encodeLease, leaseKey, type StoredLease } from "../../registry/records.ts";
import type { Core } from "../core.ts";
import type { Agent, AgentSession, MasterState } from "../model.ts";
import { createLeases, heldLease, type Lease, type Leases, releaseLease, restoreLease, takeLease } from "./leases.ts";
import { type OverlaySettings, subnetCount, subnetsAt } from "./network.ts";

/** How long to wait before the store is asked again. */
const storeRetryMs = 1_000;
/** About the size of one piece of news on the wire. */
const changeBytes = 120;

/** An overlay network of the cluster, and who has which part of it. */
export interface Overlay {
  readonly settings: OverlaySettings;
  readonly leases: Leases;
  /** Registered agents that wait for a subnet to become free. */
  readonly waiting: Set<Agent>;
  /** A timer for them is set. */
  isTimed: boolean;
}

/** The networks as they are set, with what the store knows of their subnets. Leases of other networks are left alone. */
export function createOverlays(all: readonly OverlaySettings[], stored: readonly StoredLease[]): Map<string, Overlay> {
  const overlays = new Map<string, Overlay>();
  for (const settings of all) {
    const leases = createLeases(subnetCount(settings));
    overlays.set(settings.name, { settings, leases, waiting: new Set(), isTimed: false });
  }
  for (const one of [...stored].sort((a, b) => a.releasedAt - b.releasedAt)) {
    const overlay = overlays.get(one.network);
    if (overlay === undefined || one.index >= overlay.leases.count) continue;
    // The network's addresses were changed: its agents get new subnets.
    if (subnetsAt(overlay.settings, one.index).subnet !== one.subnet) continue;
    const { index, agentId, underlayIp: ip, underlayIp6: ip6, releasedAt } = one;
    restoreLease(overlay.leases, { index, agentId, underlay: { ip, ip6 }, releasedAt, durable: true, changes: 0 });
  }
  return overlays;
}

/** Subnets of agents that the registry does not know: the master died between forgetting one and taking back the other. */
export function releaseForgotten(core: Core): void {
  for (const overlay of core.state.overlays.values())
    for (const { agentId } of overlay.leases.byAgent.values())
      if (!core.state.agents.has(agentId)) release(core, overlay, agentId);
}

/** An agent is registered: it is told of all networks, and gets a subnet of each that it can take part in. */
export function joinOverlays(core: Core, agent: Agent, session: AgentSession): void {
  if (agent.underlay === undefined || core.state.agentSessions.get(session.connection) !== session) return;
  session.hearsOverlays = true;
  const { knownDigest } = agent.underlay;
  if (knownDigest !== "" && knownDigest === presentDigest(core.state)) tell(core, agent, { unchanged: true });
  else tellEverything(core, agent);
  for (const overlay of core.state.overlays.values()) lease(core, overlay, agent);
}

function tellEverything(core: Core, agent: Agent): void {
  for (const overlay of core.state.overlays.values()) {
    tell(core, agent, { network: networkOf(overlay.settings) });
    for (const subnet of toldSubnets(overlay)) tell(core, agent, { subnet });
  }
  tell(core, agent, { complete: true });
}

function* toldSubnets(overlay: Overlay): Generator<OverlaySubnet> {
  for (const lease of overlay.leases.byIndex.values())
    if (lease.releasedAt === 0 && lease.durable) yield subnetOf(overlay, lease);
}

/** Of all that agents are told. After a restart all of them ask for it, and mostly nothing has changed in between. */
function presentDigest(state: MasterState): string {
  const overlays = [...state.overlays.values()];
  state.overlaysDigest ??= overlayDigest(
    overlays.map(({ settings }) => networkOf(settings)),
    overlays.flatMap((overlay) => [...toldSubnets(overlay)]),
  );
  return state.overlaysDigest;
}

/** An agent is gone for good: its subnets are taken back, and given to others last. */
export function leaveOverlays(core: Core, agent: Agent): void {
  for (const overlay of core.state.overlays.values()) {
    overlay.waiting.delete(agent);
    release(core, overlay, agent.id);
  }
}

/** An agent is away: it keeps what it has, and waits for nothing. */
export function awayFromOverlays(core: Core, agent: Agent): void {
  for (const overlay of core.state.overlays.values()) overlay.waiting.delete(agent);
}

/** A lease is in the store, or could not be written: nobody is told of it before. */
export function leaseStored(
  core: Core,
  name: string,
  lease: Lease,
  changes: number,
  error: MusterError | undefined,
): void {
  const overlay = core.state.overlays.get(name);
  if (overlay === undefined || overlay.leases.byIndex.get(lease.index) !== lease || lease.changes !== changes) return;
  if (error) {
    core.after(storeRetryMs, { type: "lease-unstored", network: name, lease });
    return;
  }
  lease.durable = true;
  tellAll(core, { subnet: subnetOf(overlay, lease) });
}

/** Tries again to write a lease that is not in the store yet. */
export function storeLeaseAgain(core: Core, name: string, lease: Lease): void {
  const overlay = core.state.overlays.get(name);
  if (overlay?.leases.byIndex.get(lease.index) === lease && !lease.durable && lease.releasedAt === 0)
    store(core, overlay, lease);
}

/** A subnet may have been free for long enough. */
export function leaseToWaiting(core: Core, name: string): void {
  const overlay = core.state.overlays.get(name);
  if (overlay === undefined) return;
  overlay.isTimed = false;
  for (const agent of [...overlay.waiting]) lease(core, overlay, agent);
}

function lease(core: Core, overlay: Overlay, agent: Agent): void {
  const { underlay } = agent;
  const { name, backend } = overlay.settings;
  overlay.waiting.delete(agent);
  if (underlay === undefined || !underlay.backends.includes(backend)) {
    refuse(core, agent, name, `its back end ${backend} does not work on this agent`);
    return;
  }
  const held = heldLease(overlay.leases, agent.id);
  const { ip, ip6 } = underlay;
  if (held?.underlay.ip === ip && held.underlay.ip6 === ip6) return;
  const { subnetReuseMs } = core.state.settings;
  const taken = takeLease(overlay.leases, agent.id, { ip, ip6 }, core.epochMs, subnetReuseMs);
  if (taken) store(core, overlay, taken);
  else {
    const { count } = overlay.leases;
    refuse(
      core,
      agent,
      name,
      `all ${count} subnets of ${overlay.settings.cidr} are taken: widen its range at the master`,
    );
    core.log("warn", { network: name, agentId: agent.id, subnets: count }, "no subnet of an overlay network is free");
    overlay.waiting.add(agent);
    setTimer(core, overlay);
  }
}

function release(core: Core, overlay: Overlay, agentId: string): void {
  const lease = releaseLease(overlay.leases, agentId, core.epochMs);
  if (lease === undefined) return;
  store(core, overlay, lease);
  tellAll(core, { removal: { network: overlay.settings.name, agentId } });
  if (overlay.waiting.size > 0) setTimer(core, overlay);
}

function setTimer(core: Core, overlay: Overlay): void {
  const [oldest] = overlay.leases.released;
  if (overlay.isTimed || oldest === undefined) return;
  overlay.isTimed = true;
  const { subnetReuseMs } = core.state.settings;
  const delayMs = Math.max(0, oldest.releasedAt + subnetReuseMs - core.epochMs);
  core.after(delayMs, { type: "subnet-free", network: overlay.settings.name });
}

/** What was given back needs no answer: it is written again until the store has it. */
function store(core: Core, overlay: Overlay, lease: Lease): void {
  const { name } = overlay.settings;
  const { subnet } = subnetsOf(overlay, lease);
  const { index, agentId, underlay, releasedAt, changes } = lease;
  const underlayIps = { underlayIp: underlay.ip, underlayIp6: underlay.ip6 };
  core.state.overlaysDigest = undefined;
  core.effects.push({
    type: "store",
    key: leaseKey(name, lease.index),
    value: encodeLease({ network: name, index, subnet, agentId, ...underlayIps, releasedAt }),
    written: releasedAt > 0 ? undefined : (error) => ({ type: "lease-stored", network: name, lease, changes, error }),
  });
}

function refuse(core: Core, agent: Agent, network: string, reason: string): void {
  tell(core, agent, { refusal: { network, reason } });
}

/** O(agents). */
function tellAll(core: Core, change: Partial<OverlayChange>): void {
  const whole = changeOf(change);
  core.state.overlaysDigest = undefined;
  for (const session of core.state.agentSessions.values())
    if (session.hearsOverlays && session.agent?.connection === session.connection)
      core.toAgent(session.connection, "overlayChanges", whole, changeBytes);
  if (change.subnet) core.log("info", { ...change.subnet }, "subnet leased");
}

function tell(core: Core, agent: Agent, change: Partial<OverlayChange>): void {
  core.toAgent(agent.connection, "overlayChanges", changeOf(change), changeBytes);
}

function changeOf(change: Partial<OverlayChange>): OverlayChange {
  return { network: null, subnet: null, removal: null, refusal: null, complete: false, unchanged: false, ...change };
}

function networkOf(settings: OverlaySettings): OverlayNetwork {
  return { ...settings };
}

function subnetOf(overlay: Overlay, lease: Lease): OverlaySubnet {
  const { agentId, underlay } = lease;
  const ips = { underlayIp: underlay.ip, underlayIp6: underlay.ip6 };
  return { network: overlay.settings.name, agentId, ...subnetsOf(overlay, lease), ...ips };
}

/** Agents are told of all subnets, one by one: to work one out each time costs more than all else of that. */
function subnetsOf({ settings }: Overlay, lease: Lease): { readonly subnet: string; readonly subnet6: string } {
  lease.subnets ??= subnetsAt(settings, lease.index);
  return lease.subnets;
}

/** What operators see. */
export function overlayRecords({ overlays, agents }: MasterState): OverlayRecord[] {
  return [...overlays.values()]
    .sort((a, b) => (a.settings.name < b.settings.name ? -1 : 1))
    .map((overlay) => ({
      network: networkOf(overlay.settings),
      leases: [...overlay.leases.byIndex.values()]
        .sort((a, b) => a.index - b.index)
        .map((lease) => ({
          subnet: subnetOf(overlay, lease),
          agentName: agents.get(lease.agentId)?.name ?? "",
          releasedAt: lease.releasedAt,
        })),
      subnetCount: overlay.leases.count,
      waitingAgentIds: [...overlay.waiting].map(({ id }) => id),
    }));
}
