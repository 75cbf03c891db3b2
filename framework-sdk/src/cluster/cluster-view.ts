import { type Cancel, Masters, MusterError, type Resources, resources, subtractResources } from "@muster/foundation";
import { type AgentRecord, AgentStanding, AgentState, type EventsResponse, WatchKind } from "@muster/proto";
import { Backoff } from "../connection/backoff.ts";
import { type PortsInPart, portsInPart } from "../placement/ports.ts";
import type { Runtime } from "../runtime/runtime.ts";

/** An agent as the master sees it. */
export interface ClusterAgent {
  readonly agentId: string;
  readonly name: string;
  readonly ip: string;
  /** Of its own gRPC server. */
  readonly address: string;
  readonly state: AgentState;
  readonly total: Resources;
  readonly allocated: Resources;
  readonly offered: Resources;
  /** What is set aside for roles, of which neither tasks nor offers have anything. */
  readonly setAside: Resources;
  /** The roles for which something is set aside there. */
  readonly reservedRoles: readonly string[];
  /** What neither tasks use nor offers hold. */
  readonly free: Resources;
  readonly attributes: ReadonlyMap<string, string>;
  /** Fixed ports in use. */
  readonly portsTaken: ReadonlySet<number>;
  /** Of ports that are taken for one protocol or on one address alone: what is taken. */
  readonly portsInPart: PortsInPart;
  readonly drivers: readonly string[];
  readonly networkModes: readonly string[];
  /** What operators have decided about it: unless it is active, nothing of it is offered. */
  readonly standing: AgentStanding;
  /** Ids of what is reserved of it. */
  readonly reservationIds: ReadonlySet<string>;
  /** Ids of its volumes. */
  readonly volumeIds: ReadonlySet<string>;
  /** When its next maintenance begins, milliseconds since the epoch; 0: none is planned. */
  readonly maintenanceAt: number;
}

/** The cluster's agents, kept up to date by the master's feed. */
export interface ClusterView {
  start(): void;
  stop(): void;
  /** By id. Those that are disconnected or unreachable are among them: see `state`. */
  readonly agents: ReadonlyMap<string, ClusterAgent>;
  /** Agents that have not come back since the master's start. */
  readonly agentsAwaited: readonly string[];
  /** False before the first snapshot. While the feed is away the last picture stays. */
  readonly isKnown: boolean;
  /** How far the feed was read: the number of the last event that the picture shows. */
  readonly sequence: number;
}

export interface ClusterViewConfig {
  readonly address: string | readonly string[];
}

/** Follows `Watch.Events`, agents alone. `changed` is called after every message, when the picture is whole. */
export function createClusterView(
  runtime: Pick<Runtime, "clock" | "random" | "transport">,
  config: ClusterViewConfig,
  changed: () => void = () => {},
): ClusterView {
  return new View(runtime, config, changed);
}

class View implements ClusterView {
  readonly #runtime: Pick<Runtime, "clock" | "random" | "transport">;
  readonly #changed: () => void;
  readonly #masters: Masters;
  readonly #backoff: Backoff;
  #agents = new Map<string, ClusterAgent>();
  /** The snapshot that is being received. */
  #arriving: Map<string, ClusterAgent> | undefined;
  #awaited: readonly string[] = [];
  #isKnown = false;
  #epoch = 0;
  #sequence = 0;
  #cancel: Cancel | undefined;
  #isStarted = false;

  constructor(
    runtime: Pick<Runtime, "clock" | "random" | "transport">,
    config: ClusterViewConfig,
    changed: () => void,
  ) {
    this.#runtime = runtime;
    this.#changed = changed;
    this.#masters = new Masters(config.address);
    this.#backoff = new Backoff(runtime.random.stream("cluster"));
  }

  get agents(): ReadonlyMap<string, ClusterAgent> {
    return this.#agents;
  }

  get agentsAwaited(): readonly string[] {
    return this.#awaited;
  }

  get isKnown(): boolean {
    return this.#isKnown;
  }

  get sequence(): number {
    return this.#sequence;
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#follow();
  }

  stop(): void {
    this.#isStarted = false;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #follow(): void {
    const place = { epoch: this.#epoch, sequence: this.#sequence };
    const request = { ...place, kinds: [WatchKind.WATCH_KIND_AGENTS], frameworkId: "", agentId: "", role: "" };
    this.#arriving = undefined;
    let isOver = false;
    const stop = this.#runtime.transport.follow("Watch.Events", this.#masters.current, request, {
      receive: (message) => {
        if (!isOver && !this.#receive(message)) again(new MusterError("unavailable", "a deposed master answers"));
      },
      drained: () => {},
      closed: (error) => again(error),
    });
    const again = (error: MusterError | undefined): void => {
      if (isOver || !this.#isStarted) return;
      isOver = true;
      stop();
      // The place to resume from may be what the master does not like.
      if (error?.kind === "invalid" || error?.kind === "not-found") this.#epoch = this.#sequence = 0;
      this.#masters.next(error);
      this.#cancel = this.#runtime.clock.after(this.#backoff.nextMs(error), () => this.#follow());
    };
    this.#cancel = () => {
      isOver = true;
      stop();
    };
  }

  /** False: it comes from a master that leads no more. */
  #receive(message: EventsResponse): boolean {
    if (message.epoch < this.#epoch) return false;
    this.#backoff.reset();
    if (message.snapshot && this.#arriving === undefined) this.#arriving = new Map();
    const agents = message.snapshot && this.#arriving ? this.#arriving : this.#agents;
    for (const event of message.events) {
      if (event.agent) agents.set(event.agent.agentId, clusterAgent(event.agent));
      else if (event.agentRemoved) agents.delete(event.agentRemoved);
      else if (event.agentsAwaited) this.#awaited = [...event.agentsAwaited.agentIds];
    }
    if (message.snapshot && !message.snapshotComplete) return true;
    if (this.#arriving && message.snapshot) {
      this.#agents = this.#arriving;
      this.#arriving = undefined;
    }
    this.#epoch = message.epoch;
    this.#sequence = message.sequence;
    this.#isKnown = true;
    this.#changed();
    return true;
  }
}

function clusterAgent(record: AgentRecord): ClusterAgent {
  const total = resources(record.total);
  const allocated = resources(record.allocated);
  const offered = resources(record.offered);
  const setAside = resources(record.setAside);
  return {
    agentId: record.agentId,
    name: record.name,
    ip: record.ip,
    address: record.address,
    state: record.state,
    total,
    allocated,
    offered,
    setAside,
    reservedRoles: [...new Set(record.reservations.map(({ role }) => role))],
    free: subtractResources(subtractResources(total, allocated), offered),
    attributes: new Map(record.attributes.map(({ name, value }) => [name, value])),
    portsTaken: new Set(record.portsTaken),
    portsInPart: portsInPart(record.portsInPart),
    drivers: [...record.drivers],
    networkModes: [...record.networkModes],
    standing: record.standing,
    reservationIds: idsOf(record.reservations, ({ reservationId }) => reservationId),
    volumeIds: idsOf(record.volumes, ({ volumeId }) => volumeId),
    maintenanceAt: record.maintenanceAt,
  };
}

const noIds: ReadonlySet<string> = new Set();

function idsOf<T>(records: readonly T[], idOf: (record: T) => string): ReadonlySet<string> {
  return records.length === 0 ? noIds : new Set(records.map(idOf));
}

/** Whether tasks can be started there now. */
export function isUsable(agent: Pick<ClusterAgent, "standing" | "state">): boolean {
  // A master that says nothing of an agent's standing knows of none.
  const isActive = agent.standing <= AgentStanding.AGENT_STANDING_ACTIVE;
  return isActive && agent.state === AgentState.AGENT_STATE_REGISTERED;
}
