import {
  type Clock,
  codecOf,
  emptyMessage,
  type Inlet,
  type MusterError,
  seededRandom,
  silentLog,
  type Transport,
} from "@muster/foundation";
import type { AgentRecord, EventsRequest, EventsResponse, TaskRecord, WatchEvent } from "@muster/proto";
import { AgentState, Health, TaskState } from "@muster/proto";
import packets from "dns-packet";
import { createDiscovery, type Discovery, type DiscoveryConfig } from "./discovery.ts";

/** Time that stands still until it is moved. */
export class ManualClock implements Clock {
  nowMs = 1_700_000_000_000;
  readonly #due: { atMs: number; wake: () => void }[] = [];

  monotonicMs(): number {
    return this.nowMs;
  }

  epochMs(): number {
    return this.nowMs;
  }

  after(delayMs: number, wake: () => void): () => void {
    const entry = { atMs: this.nowMs + delayMs, wake };
    this.#due.push(entry);
    return () => {
      const at = this.#due.indexOf(entry);
      if (at >= 0) this.#due.splice(at, 1);
    };
  }

  advance(byMs: number): void {
    const untilMs = this.nowMs + byMs;
    for (;;) {
      this.#due.sort((a, b) => a.atMs - b.atMs);
      const next = this.#due[0];
      if (!next || next.atMs > untilMs) break;
      this.#due.shift();
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.wake();
    }
    this.nowMs = untilMs;
  }
}

type EventsInlet = Inlet<EventsResponse>;

const events = codecOf("EventsResponse");

/** A master whose every word a test decides. What it says passes the real codec. */
export class ScriptedMaster {
  readonly clock = new ManualClock();
  readonly requests: EventsRequest[] = [];
  epoch = 1;
  sequence = 0;
  clusterId = "c-1";
  #inlet: EventsInlet | undefined;
  /** Which masters were turned to. */
  readonly addresses: string[] = [];

  readonly transport: Transport = {
    open: () => {
      throw new Error("nothing here opens a stream");
    },
    call: () => {
      throw new Error("nothing here makes a call");
    },
    follow: (method, address, request, inlet) => {
      this.addresses.push(address);
      if (method !== "Watch.Events") throw new Error(`nothing here follows ${method}`);
      this.requests.push(request as EventsRequest);
      const opened = inlet as unknown as EventsInlet;
      this.#inlet = opened;
      return () => {
        if (this.#inlet === opened) this.#inlet = undefined;
      };
    },
  };

  /** A server that follows this master and has connected. */
  discovery(config: Partial<DiscoveryConfig> = {}): Discovery {
    const { clock, transport } = this;
    const random = seededRandom("discovery");
    const made = createDiscovery(
      { clock, random, transport, log: silentLog },
      { masterAddress: "10.9.9.9:5050", ...config },
    );
    made.start();
    return made;
  }

  get isConnected(): boolean {
    return this.#inlet !== undefined;
  }

  say(message: Partial<EventsResponse>): void {
    const whole = { ...emptyMessage("EventsResponse"), epoch: this.epoch, clusterId: this.clusterId, ...message };
    this.#inlet?.receive(events.decode(events.encode(whole)));
  }

  /** A snapshot in as many messages as there are lists. */
  snapshot(...parts: WatchEvent[][]): void {
    const lists = parts.length === 0 ? [[]] : parts;
    lists.forEach((list, i) => {
      const snapshotComplete = i === lists.length - 1;
      this.say({ snapshot: true, snapshotComplete, sequence: this.sequence, events: list });
    });
  }

  change(...changes: WatchEvent[]): void {
    this.sequence += changes.length;
    this.say({ sequence: this.sequence, events: changes });
  }

  /** The connection breaks, or is refused. */
  hangUp(error?: MusterError): void {
    const inlet = this.#inlet;
    this.#inlet = undefined;
    inlet?.closed(error);
  }

  /** The master dies and another comes: the connection breaks and is made anew. */
  restart(): void {
    this.epoch += 1;
    this.sequence = 0;
    this.hangUp();
    this.clock.advance(5_000);
  }
}

export interface TaskShape {
  id?: string;
  name?: string;
  framework?: string;
  agent?: string;
  ip?: string;
  state?: TaskState;
  health?: Health;
  labels?: Record<string, string>;
  /** Endpoints as [name, port label, protocol]. */
  endpoints?: [string, string, string?][];
  /** Ports as [label, number, protocol]. */
  ports?: [string, number, string?][];
  /** The task's own addresses and, with them, ports that are open there only. */
  ips?: string[];
  /** Its networks, if it has several, by their addresses; the ports are then in the last one. */
  networks?: string[][];
}

export function aTask(shape: TaskShape = {}): TaskRecord {
  const { id = "web.0", name = "web", framework = "services", agent = "a-1", ip = "10.0.0.1" } = shape;
  const { state = TaskState.TASK_RUNNING, health = Health.HEALTH_UNSPECIFIED, ips = [] } = shape;
  const networks = (shape.networks ?? []).map((each, index) => ({ mode: "", link: `eth${index}`, ips: each }));
  const ports = (shape.ports ?? [["http", 20_000]]).map(([label, number, protocol = ""]) => ({
    ...emptyMessage("AssignedPort"),
    label,
    number: ips.length > 0 ? 0 : number,
    to: number,
    protocol,
    ...(networks.length > 0 ? { network: networks.length - 1 } : {}),
  }));
  const endpoints = (shape.endpoints ?? [[name, "http"]]).map(([endpoint, portLabel, protocol = ""]) => ({
    ...emptyMessage("ServiceEndpoint"),
    name: endpoint,
    portLabel,
    protocol,
  }));
  return {
    ...emptyMessage("TaskRecord"),
    taskId: id,
    name,
    frameworkId: `f-${framework}`,
    frameworkName: framework,
    agentId: agent,
    agentIp: ip,
    labels: shape.labels ?? {},
    discovery: { endpoints },
    status: {
      ...emptyMessage("TaskStatus"),
      taskId: id,
      agentId: agent,
      state,
      health,
      container: { pid: 1, ips, ports, networks },
    },
  };
}

export function task(shape: TaskShape = {}): WatchEvent {
  return { sequence: 0, task: aTask(shape), change: "task" };
}

export function agent(id: string, ip: string, state: AgentState = AgentState.AGENT_STATE_REGISTERED): WatchEvent {
  const record: AgentRecord = { ...emptyMessage("AgentRecord"), agentId: id, name: `host-${id}`, ip, state };
  return { sequence: 0, agent: record, change: "agent" };
}

export function framework(name: string): WatchEvent {
  const record = { ...emptyMessage("FrameworkRecord"), frameworkId: `f-${name}`, name, connected: true };
  return { sequence: 0, framework: record, change: "framework" };
}

export function awaited(...agentIds: string[]): WatchEvent {
  return { sequence: 0, agentsAwaited: { agentIds }, change: "agentsAwaited" };
}

export interface Asked {
  code: string;
  isTruncated: boolean;
  isAuthoritative: boolean;
  /** Values as text: addresses, `priority weight port target`. */
  answers: string[];
  owners: string[];
  ttls: number[];
  additional: string[];
  authority: string[];
  bytes: number;
  packet: packets.Packet & { rcode?: string };
}

export interface AskOptions {
  tcp?: boolean;
  /** Bytes that the client takes; present means EDNS. */
  edns?: number;
}

/** Asks as a client would, through an independent implementation of the packet format. */
export function ask(discovery: Discovery, name: string, type: string, options: AskOptions = {}): Asked {
  const query: packets.Packet = {
    type: "query",
    id: 4_711,
    flags: packets.RECURSION_DESIRED,
    questions: [{ type: type as packets.RecordType, name }],
  };
  if (options.edns !== undefined)
    query.additionals = [
      { type: "OPT", name: ".", udpPayloadSize: options.edns, flags: 0, options: [] } as unknown as packets.Answer,
    ];
  const answer = discovery.answer(packets.encode(query), { tcp: options.tcp ?? false, peer: "127.0.0.1" });
  if (!answer) throw new Error("no answer");
  return read(answer);
}

export function read(answer: Uint8Array): Asked {
  const packet = packets.decode(Buffer.from(answer)) as Asked["packet"];
  const answers = packet.answers ?? [];
  return {
    code: packet.rcode ?? "",
    isTruncated: Boolean((packet.flags ?? 0) & packets.TRUNCATED_RESPONSE),
    isAuthoritative: Boolean((packet.flags ?? 0) & packets.AUTHORITATIVE_ANSWER),
    answers: answers.map(valueText),
    owners: answers.map((record) => record.name),
    ttls: answers.map((record) => ("ttl" in record ? (record.ttl ?? -1) : -1)),
    additional: (packet.additionals ?? []).filter((record) => record.type !== "OPT").map(valueText),
    authority: (packet.authorities ?? []).map((record) => `${record.name} ${record.type}`),
    bytes: answer.length,
    packet,
  };
}

function valueText(record: packets.Answer): string {
  if (record.type === "A" || record.type === "AAAA") return record.data;
  if (record.type === "SRV") {
    const { priority, weight, port, target } = record.data;
    return `${priority} ${weight} ${port} ${target}`;
  }
  if (record.type === "NS") return record.data;
  return "data" in record ? JSON.stringify(record.data) : "";
}
