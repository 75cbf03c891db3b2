import { noResources, type Random, ResourceSum, type Resources } from "@muster/foundation";
import {
  type Attribute,
  type Discovery,
  type FrameworkInfo,
  type MaintenanceWindow,
  type OperationResult,
  type PortPart,
  type StatusReason,
  StatusSource,
  type SubscribeRequest,
  TaskState,
  type TaskStatus,
} from "@muster/proto";
import type { Allocator as AllocatorOf } from "../allocator/allocator.ts";
import type { Member as MemberOf, Role as RoleOf } from "../allocator/role.ts";
import type { Now } from "./core.ts";
import type { Demand, DemandedPart } from "./demand-shapes.ts";
import type { IndexedHeap } from "./heap.ts";
import type { InverseOffer } from "./operator/inverse-offers.ts";
import type { GoneAgent, Standing } from "./operator/standing.ts";
import type { OutstandingOffers } from "./outstanding.ts";
import type { Lease } from "./overlay/leases.ts";
import type { OverlaySettings } from "./overlay/network.ts";
import type { Overlay } from "./overlay/overlays.ts";
import type { TakenPorts } from "./ports.ts";
import type { Budget } from "./preemption/budget.ts";
import type { Hold, PreemptedFor, Preemption } from "./preemption/model.ts";
import type { RoleCall } from "./role-changes.ts";
import { nowhere, Roster } from "./roster.ts";
import type { Draw, ReservedShare, SetAside, Volume } from "./set-aside/model.ts";
import type { Operation } from "./set-aside/operations.ts";

/** Bounds of time that the core works with. */
export interface CoreSettings {
  /** An offer that is not answered is rescinded after so long. */
  readonly offerTimeoutMs: number;
  /** An agent's stream that is silent for so long is pinged. */
  readonly pingIntervalMs: number;
  /** So many silent intervals make an agent unreachable. */
  readonly pingsMissedMax: number;
  /** A framework's stream that carried nothing for so long carries a heartbeat. */
  readonly heartbeatIntervalMs: number;
  /** How long the agents of the store are awaited after the start of the reign. */
  readonly awaitedTimeoutMs: number;
  /** At most one agent becomes unreachable in so many milliseconds; 0: without a limit. */
  readonly unreachableIntervalMs: number;
  /** Less than this in both is not offered. */
  readonly minimumOffer: Resources;
  /** Networks over all agents. */
  readonly overlays: readonly OverlaySettings[];
  /** A subnet that was given back is given to another agent after so long, if there is no other. */
  readonly subnetReuseMs: number;
}

/** All that the master knows. Changed by `step` and `allocate` alone. */
export interface MasterState {
  readonly epoch: number;
  readonly clusterId: string;
  readonly settings: CoreSettings;
  readonly random: Random;
  readonly allocator: AllocatorOf<Framework>;
  readonly agents: Map<string, Agent>;
  /** Connected, disconnected, and completed ones whose tasks have not all ended. */
  readonly frameworks: Map<string, Framework>;
  /** Names of frameworks that are over, by id; the oldest is forgotten first. */
  readonly completed: Map<string, string>;
  readonly offers: OutstandingOffers;
  readonly agentSessions: Map<number, AgentSession>;
  readonly frameworkSessions: Map<number, FrameworkSession>;
  /** Agents that the store knows and that have not come back since the start of the reign. */
  readonly awaited: Set<Agent>;
  /** What operators have decided about agents, by id, whether they are here or not. */
  readonly standings: Map<string, Standing>;
  /** Agents that never come back, by id; the oldest is forgotten first. */
  readonly gone: Map<string, GoneAgent>;
  /** Ids of agents about which a decision is being written. */
  readonly deciding: Set<string>;
  /** Agents that are being drained. */
  readonly draining: Set<Agent>;
  /** Agents that are wanted back, or were until now: for a drain or for maintenance. */
  readonly leaving: Set<Agent>;
  readonly inverseOffers: Map<string, InverseOffer>;
  /** Windows that are not over, by the time at which they begin. */
  maintenance: readonly MaintenanceWindow[];
  /** Counts the plans of this reign. */
  maintenanceVersion: number;
  /** When the first window ends. */
  maintenanceTimer: Timer | undefined;
  /** No agent becomes unreachable before then, in monotonic milliseconds. */
  unreachableNextMs: number;
  /** Agents whose free resources may be offered. */
  readonly dirty: Roster<Agent>;
  /** All agents are to be looked at. */
  isAllDirty: boolean;
  /** Agents with something free that quota kept from all who wanted it. */
  readonly withheld: Set<Agent>;
  /** Changes of roles that operators want, in order; the first is being written. */
  readonly roleCalls: RoleCall[];
  /** By name. */
  readonly overlays: Map<string, Overlay>;
  /** Of all that agents are told of overlay networks; undefined: not known since something changed. */
  overlaysDigest: string | undefined;
  /** Who is ended for whom. */
  readonly preemption: Preemption;
  /** What is to happen by itself, soonest first. */
  readonly timers: IndexedHeap<Timer>;
  /** Records whose figures have changed since the feed was told. */
  readonly changedAgents: Roster<Agent>;
  readonly changedFrameworks: Roster<Framework>;
  /** Names of roles of which an operator has said something else. */
  readonly changedRoles: Set<string>;
  /** The feed has not been told yet who is awaited now. */
  awaitedChanged: boolean;
  /** Changes of what is set aside that agents have been asked for, by id. */
  readonly operations: Map<string, Operation>;
  offerCount: number;
  timerCount: number;
  /** Counts operations and reservations of this reign. */
  operationCount: number;
}

/** A framework within one of its roles. */
export type Member = MemberOf<Framework>;
export type Role = RoleOf<Framework>;

/** Shared by all agents that have nothing of a kind: most have not. */
export const noNumbers: ReadonlySet<number> = new Set();

/** How an agent stands. While its session is registering, its state is that of before. */
export type AgentStateName = "awaited" | "registered" | "disconnected" | "unreachable";

/** What each offer touches stands first, and so lies side by side in memory. */
export class Agent {
  readonly id: string;
  state: AgentStateName;
  /** What an operator has decided about it; undefined: it is as any other. */
  standing: Standing | undefined = undefined;
  /** What of its resources only some roles get; undefined: all of them get all. */
  setAside: SetAside | undefined = undefined;
  total: Resources = noResources;
  /** What tasks use, ports of groups included. */
  allocated: Resources = noResources;
  offered: Resources = noResources;
  /** What is kept of what is free, or will be, for those for whom others are ended. */
  kept: Resources = noResources;
  /** Whether its resources are part of the cluster's total. */
  counted = false;
  /** Its place among those that are to be looked at. */
  leftPlace: number = nowhere;
  /** Its place among those of which the feed is to be told. */
  rightPlace: number = nowhere;
  readonly offers: Roster<Offer> = new Roster("left");
  name: string;
  address: string;
  ip: string;
  version = "";
  drivers: readonly string[] = [];
  networkModes: readonly string[] = [];
  unavailable: readonly string[] = [];
  /** How its host takes part in overlay networks; undefined: it can't. */
  underlay:
    | {
        readonly ip: string;
        readonly ip6: string;
        readonly backends: readonly string[];
        /** What it had been told of overlay networks when it registered. */
        readonly knownDigest: string;
      }
    | undefined = undefined;
  /** The connection whose word counts; 0 if there is none. */
  connection = 0;
  readonly holds: Set<Hold> = new Set();
  attributes: readonly Attribute[] = [];
  readonly attributeValues: Map<string, string> = new Map();
  dynamicPortFirst = 0;
  dynamicPortLast = 0;
  /** Ports with a known number, with the groups that hold them; several hold parts of one. */
  readonly ports: Map<number, readonly Group[]> = new Map();
  /** Tasks that are custom executors and have not ended, by framework and executor. */
  readonly executors: Map<string, Task> = new Map();
  /** Ports of the host that no task of ours holds. */
  foreignPorts: ReadonlySet<number> = noNumbers;
  /** All ports taken, made when it is asked for. */
  portsTaken: TakenPorts | undefined;
  /** Tasks that have not ended. */
  readonly tasks: Set<Task> = new Set();
  /** Tasks that have ended here and whose end is not acknowledged. */
  readonly ended: Set<Task> = new Set();
  /** Counts changes of what is free, other than by offers. */
  changeCount = 0;
  registeredAt = 0;
  lastHeardMs = 0;
  /** The connection that was lost last, so that an older loss does not count against a newer one. */
  lostConnection = 0;
  /**
   * Groups that were made for reported tasks, by launch (by framework and launch where two frameworks call theirs the
   * same), until its registration is complete.
   */
  adopting: Map<string, Group> | undefined = undefined;
  /** The deadline of its drain. */
  drainTimer: Timer | undefined = undefined;
  /** The deadline of its drain has passed. */
  drainForced = false;
  /** Its next maintenance. */
  window: MaintenanceWindow | undefined = undefined;
  readonly inverseOffers: Map<Framework, InverseOffer> = new Map();

  constructor(id: string, name: string, address: string, ip: string, state: AgentStateName) {
    this.id = id;
    this.name = name;
    this.address = address;
    this.ip = ip;
    this.state = state;
  }
}

/** An agent's connection, from its registration on. */
export class AgentSession {
  readonly connection: number;
  agent: Agent | undefined = undefined;
  /** The tasks that it has told of. */
  reported: Set<Task> | undefined = new Set();
  tasksComplete = false;
  stored = false;
  pingCount = 0;
  /** It has been told of the overlay networks, and is told of what changes. */
  hearsOverlays = false;

  constructor(connection: number) {
    this.connection = connection;
  }
}

/** A condition on agents, ready to be asked. */
export interface Constraint {
  readonly attribute: string;
  readonly role: string;
  readonly holds: (value: string | undefined) => boolean;
}

/** Of whoever takes any agent. */
export const noConstraints: readonly Constraint[] = Object.freeze([]);

/** What each offer touches stands first, and so lies side by side in memory. */
export class Framework {
  readonly id: string;
  state: "connected" | "disconnected" | "completed" = "disconnected";
  connection = 0;
  /** It is offered what agents lend. */
  takesRevocable = false;
  minimumOffer: Resources | undefined = undefined;
  constraints: readonly Constraint[] = noConstraints;
  /** What it wants, by role and id; undefined: nothing is said. A role that is not there takes all that it is offered. */
  demands: Map<string, Map<string, Demand>> | undefined = undefined;
  /** What it has refused, by agent; undefined: nothing yet. */
  filters: Map<Agent, Filter[]> | undefined = undefined;
  readonly offers: Roster<Offer> = new Roster("right");
  readonly offered: ResourceSum = new ResourceSum();
  offersSent = 0;
  /** No place of it is used yet. */
  leftPlace: number = nowhere;
  /** Its place among those of which the feed is to be told. */
  rightPlace: number = nowhere;
  name: string;
  roles: readonly string[] = [];
  readonly suppressed: Set<string> = new Set();
  jobTypes: readonly string[] = [];
  principal = "";
  version = "";
  failoverTimeoutMs: number;
  subscribedAt = 0;
  /** Milliseconds since the epoch; 0 while connected. */
  disconnectedAt = 0;
  /** The timer that ends it while it is away. */
  deadline: Timer | undefined = undefined;
  /** Tasks that live, are unreachable, or whose end it has not acknowledged. */
  readonly tasks: Map<string, Task> = new Map();
  /** Tasks that are over, oldest first. */
  readonly history: Map<string, Task> = new Map();
  /** Room that is being made for it. */
  readonly holds: Set<Hold> = new Set();
  readonly members: Map<string, Member> = new Map();
  /** What its last task asked for: the next one mostly asks for the same, and may share it. */
  lastAsked: Resources = noResources;
  /** What the last task of each name told of itself, of some names: the next one mostly tells the same, and may share it. */
  readonly parts: Map<string, TaskParts> = new Map();
  allocated: Resources = noResources;
  /** When its stream carried something last. */
  lastSentMs = 0;
  offersDeclined = 0;
  offersAccepted = 0;
  /** Offers declined since it last used one. */
  declinedInRow = 0;
  /** Tasks that have not ended. */
  liveCount = 0;
  /** Ends of operations that it has not acknowledged, by its own ids; the oldest is forgotten first. */
  readonly operationEnds: Map<string, OperationResult> = new Map();

  constructor(id: string, name: string, failoverTimeoutMs: number) {
    this.id = id;
    this.name = name;
    this.failoverTimeoutMs = failoverTimeoutMs;
  }
}

/** A framework's connection, from its first message on. */
export class FrameworkSession {
  readonly connection: number;
  readonly principal: string;
  framework: Framework | undefined = undefined;
  subscription:
    | { readonly id: string; readonly info: FrameworkInfo; readonly suppressed: readonly string[] }
    | undefined = undefined;
  /** What came while the registration was being written. */
  readonly waiting: SubscribeRequest[] = [];

  constructor(connection: number, principal: string) {
    this.connection = connection;
    this.principal = principal;
  }
}

/** The ports that a group asked for, as far as it named them. */
export interface GroupPorts {
  readonly portCount: number;
  readonly numbers: readonly number[];
  readonly parts: readonly PortPart[];
  readonly known: boolean;
}

/** Tasks launched together: they share ports. */
export class Group {
  readonly launchId: string;
  readonly agent: Agent;
  readonly framework: Framework;
  readonly member: Member;
  /** Ports of the dynamic range, static ones within it included. */
  readonly portCount: number;
  /** Static numbers at first, dynamic ones as soon as they are known. */
  numbers: readonly number[];
  /** What it holds of those of the numbers that it does not hold whole. */
  portParts: readonly PortPart[];
  numbersKnown: boolean;
  liveCount = 0;
  /** The highest of its tasks; undefined: nobody has said. */
  priority: number | undefined = undefined;
  budget: Budget | undefined = undefined;
  isPreemptible = true;
  preemptedFor: PreemptedFor | undefined = undefined;
  /** This master has launched it, and nothing of it has run yet: when it does, one of its budget is missing no more. */
  isSuccessor = false;
  /** What it has of reservations and volumes; undefined: nothing. */
  draw: Draw | undefined = undefined;

  constructor(launchId: string, agent: Agent, framework: Framework, member: Member, ports: GroupPorts) {
    this.launchId = launchId;
    this.agent = agent;
    this.framework = framework;
    this.member = member;
    this.portCount = ports.portCount;
    this.numbers = ports.numbers;
    this.portParts = ports.parts;
    this.numbersKnown = ports.known;
  }
}

/** Flat on purpose: there may be a million. */
export class Task {
  readonly id: string;
  readonly name: string;
  readonly group: Group;
  readonly resources: Resources;
  readonly discovery: Discovery | null;
  readonly labels: { [key: string]: string };
  /** The latest that was told of it; undefined while it is only launched. */
  told: TaskStatus | undefined;
  /** Milliseconds since the epoch. */
  readonly launchedAt: number;
  /** The highest sequence number that its agent has told. */
  sequence = 0;
  /** Sent to the framework and not acknowledged yet. */
  pending: TaskStatus | undefined = undefined;
  /** Its end is wanted: told again to an agent that comes back. */
  kill: KillWish | undefined = undefined;
  /** Its agent has told of it at least once. */
  heard = false;

  constructor(
    id: string,
    name: string,
    group: Group,
    resources: Resources,
    discovery: Discovery | null,
    labels: { [key: string]: string },
    launchedAt: number,
    told: TaskStatus | undefined,
  ) {
    this.id = id;
    this.name = name;
    this.group = group;
    this.resources = resources;
    this.discovery = discovery;
    this.labels = labels;
    this.launchedAt = launchedAt;
    this.told = told;
  }

  /** The latest that is known. That of a task which is only launched is made up when it is asked for. */
  get status(): TaskStatus {
    return this.told ?? this.stagingStatus();
  }

  get state(): TaskState {
    return this.told === undefined ? TaskState.TASK_STAGING : this.told.state;
  }

  /** What is known of it before its agent has said anything. */
  stagingStatus(): TaskStatus {
    return {
      taskId: this.id,
      launchId: this.group.launchId,
      frameworkId: this.group.framework.id,
      agentId: this.group.agent.id,
      state: TaskState.TASK_STAGING,
      reason: 0,
      source: StatusSource.STATUS_SOURCE_MASTER,
      message: "",
      updateId: "",
      sequence: 0,
      at: this.launchedAt,
      health: 0,
      signal: "",
      container: null,
    };
  }
}

/** What tasks of one group have in common, and may share. */
export interface TaskParts {
  readonly resources: Resources;
  readonly discovery: Discovery | null;
  readonly labels: { [key: string]: string };
}

export interface KillWish {
  readonly graceMs: number | undefined;
  /** Absent: its framework wants it. */
  readonly reason?: StatusReason | undefined;
  /** For people. */
  readonly message?: string | undefined;
}

export class Offer {
  /** Counts offers; its id has the same number. */
  readonly number: number;
  readonly id: string;
  readonly agent: Agent;
  readonly member: Member;
  readonly resources: Resources;
  /** When it was made: one moment is shared by all offers of a tick. */
  readonly made: Now;
  /** Its place among those of its agent. */
  leftPlace: number = nowhere;
  /** Its place among those of its framework. */
  rightPlace: number = nowhere;
  /** What of the framework's demands it meets. */
  readonly demanded: readonly DemandedPart[];
  /** Of its resources, what is reserved. */
  readonly reserved: readonly ReservedShare[];
  /** Volumes that go with it. */
  readonly volumes: readonly Volume[];

  constructor(
    number: number,
    id: string,
    agent: Agent,
    member: Member,
    amount: Resources,
    made: Now,
    demanded: readonly DemandedPart[],
    reserved: readonly ReservedShare[],
    volumes: readonly Volume[],
  ) {
    this.number = number;
    this.id = id;
    this.agent = agent;
    this.member = member;
    this.resources = amount;
    this.made = made;
    this.demanded = demanded;
    this.reserved = reserved;
    this.volumes = volumes;
  }

  get framework(): Framework {
    return this.member.owner;
  }

  get role(): string {
    return this.member.role.name;
  }
}

/** Resources that a framework has refused for a while. */
export interface Filter {
  readonly agent: Agent;
  readonly role: string;
  readonly resources: Resources;
  readonly endsAtMs: number;
  /** Ends also when the agent changes from this count; -1: only by time. */
  readonly changeCount: number;
}

export type TimerWork =
  | { readonly type: "filter"; readonly framework: Framework; readonly filter: Filter }
  | { readonly type: "agent-away"; readonly agent: Agent; readonly connection: number }
  | { readonly type: "session-silence"; readonly connection: number }
  | { readonly type: "heartbeat"; readonly connection: number }
  | { readonly type: "framework-deadline"; readonly framework: Framework }
  | { readonly type: "awaited" }
  | { readonly type: "drain-deadline"; readonly agent: Agent }
  | { readonly type: "decision-retry"; readonly agentId: string }
  | { readonly type: "inverse-again"; readonly inverse: InverseOffer }
  | { readonly type: "maintenance-over" }
  | { readonly type: "look-for-room" }
  | { readonly type: "hold-over"; readonly hold: Hold }
  | { readonly type: "missing-over" }
  | { readonly type: "lease-unstored"; readonly network: string; readonly lease: Lease }
  | { readonly type: "subnet-free"; readonly network: string };

export interface Timer {
  readonly atMs: number;
  /** Orders those of one moment. */
  readonly number: number;
  readonly work: TimerWork;
  heapIndex: number;
}
