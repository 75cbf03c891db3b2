import {
  budgetsKept,
  importantStay,
  limitsKept,
  type MasterView,
  noOverCommit,
  noPortTwice,
  reservationsConserved,
  resourcesConserved,
  standingsKept,
  type Violation,
  violation,
  volumesKept,
} from "@muster/master";
import type { SubscribeRequest, SubscribeResponse } from "@muster/proto";
import { LaunchWatch, type Start } from "../checkers/launches.ts";
import { StatusWatch } from "../checkers/statuses.ts";
import { SubnetWatch, type ToldSubnet } from "../checkers/subnets.ts";
import type { HostProcess } from "../world/host-processes.ts";
import type { AgentHost } from "./agent-host.ts";
import type { SimCluster } from "./sim-cluster.ts";

/** How often the checkers of a moment look, in virtual time. What happens at one moment is seen when it happens. */
export const inspectionMs = 500;

/** So many events between two inspections are no work any more: somebody keeps somebody busy for nothing. */
const eventsPerInspectionMax = 10_000;

/** A message of a framework or to one. */
export type SchedulingMessage = Partial<SubscribeRequest> & Partial<SubscribeResponse>;

/** Reads a cluster while it runs, and reports what must never be. */
export class Inspector {
  readonly statuses = new StatusWatch();
  /** Names of programs that mean harm: what they send and are told proves nothing, what they do to others is checked. */
  readonly malicious = new Set<string>();
  /**
   * Hosts whose agents were given up: their tasks are over for their frameworks before the agents hear of it, and a
   * framework that was away just then, and keeps no list of its tasks, never hears of them again.
   */
  readonly givenUp = new Set<string>();
  readonly #launches = new LaunchWatch();
  readonly #subnets = new SubnetWatch();
  readonly #cluster: SimCluster;
  readonly #more: (() => readonly Violation[])[] = [];
  readonly #starts = new Map<string, Start>();
  /** Which task each command is: found out once, for it does not change. */
  readonly #startOf = new WeakMap<HostProcess, Start>();
  /** What the checkers of masters last looked at, and what hosts had been told of subnets then. */
  #looked: { readonly view: MasterView; readonly told: string } | undefined;
  #eventCount = 0;
  /** Told of each command that begins to run, and on which host. */
  onStart: (process: HostProcess, host: string) => void = () => {};
  /** Reads along on the scheduling streams, in both directions. */
  onScheduling: (from: string, message: SchedulingMessage, to: string) => void = () => {};

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
    cluster.network.onMessage = (method, from, to, message) => {
      if (method !== "Scheduling.Subscribe" || this.malicious.has(to.name) || this.malicious.has(from.name)) return;
      const read = message as SchedulingMessage;
      for (const status of read.updates ?? []) cluster.violations.add(this.statuses.delivered(status));
      this.onScheduling(from.name, read, to.name);
    };
    cluster.network.onFlood = (method, from, to, messages, bytes) => {
      if (this.malicious.has(from.name)) return;
      const detail = `${messages} messages, ${bytes} bytes are on their way to ${to.name}`;
      cluster.violations.add([violation("unbounded", `${method} of ${from.name}`, detail)]);
    };
    for (const agent of cluster.agents) {
      agent.processes.onStart = (process) => this.#started(agent, process);
      agent.executors.onStart = (served) => this.#note({ host: agent.name, attempt: 0, ...served });
    }
  }

  /** Looks at something more each time. */
  alsoCheck(check: () => readonly Violation[]): void {
    this.#more.push(check);
  }

  /** How many commands have been started. */
  get startCount(): number {
    return this.#starts.size;
  }

  /**
   * To be asked when all has been well for a while: each command that was ever started either lives and its master knows
   * it, or its end has been told to its framework.
   */
  endsKnown(): Violation[] {
    const known = new Set(this.#cluster.master.view()?.tasks.map(({ taskId }) => taskId));
    const alive = new Set(this.#alive().map(({ taskId }) => taskId));
    const view = this.#cluster.master.view();
    // While news are on their way a master may not have heard yet that a port's last holder has ended.
    const violations: Violation[] = view === undefined ? [] : noPortTwice(view);
    for (const { taskId, host } of this.#starts.values()) {
      if (alive.has(taskId)) {
        if (!known.has(taskId))
          violations.push(violation("forgotten", taskId, `lives on ${host}, its master does not know it`));
      } else if (!this.givenUp.has(host) && !this.statuses.hasEnded(taskId))
        violations.push(violation("end-lost", taskId, `ended on ${host}, nobody was told`));
    }
    return violations;
  }

  start(): void {
    const { world, violations } = this.#cluster;
    world.after(undefined, inspectionMs, "inspection", () => {
      violations.add(this.inspect());
      this.start();
    });
  }

  /** One look. O(agents + tasks + offers), or O(commands that live) while nothing happens to the master. */
  inspect(): Violation[] {
    return [
      ...this.#busyness(),
      ...this.#master(),
      ...this.#hostPorts(),
      ...this.#images(),
      ...this.#networks(),
      ...this.#outlivers(),
      ...this.#more.flatMap((check) => check()),
    ];
  }

  #busyness(): Violation[] {
    const { count } = this.#cluster.world.trace;
    const events = count - this.#eventCount;
    this.#eventCount = count;
    if (events <= eventsPerInspectionMax) return [];
    return [violation("spins", "world", `${events} events within ${inspectionMs} ms`)];
  }

  /** What a master says of itself is looked at once: the same would be found again. */
  #master(): Violation[] {
    const view = this.#cluster.master.living();
    if (view === undefined) return [];
    const subnets = this.#toldSubnets();
    const told = subnets.map(({ host, network, subnet }) => `${host} ${network} ${subnet}`).join();
    if (this.#looked?.view === view && this.#looked.told === told) return [];
    this.#looked = { view, told };
    return [
      ...[
        noOverCommit,
        resourcesConserved,
        reservationsConserved,
        volumesKept,
        standingsKept,
        limitsKept,
        importantStay,
        budgetsKept,
      ].flatMap((check) => check(view)),
      ...this.#subnets.look(view, subnets),
    ];
  }

  #started(agent: AgentHost, process: HostProcess): void {
    const start = this.#taskOf(agent, process);
    if (start.launchId === "")
      this.#cluster.violations.add([
        violation("unrecorded", start.taskId, `runs on ${agent.name}, whose disk has no intent`),
      ]);
    this.#note(start);
    this.onStart(process, agent.name);
  }

  /** A command, or a task of a custom executor, has begun. */
  #note(start: Start): void {
    const others = this.#alive().filter(
      (other) => other.host !== start.host || other.launchId !== start.launchId || other.taskId !== start.taskId,
    );
    this.#starts.set(`${start.launchId}/${start.taskId}`, start);
    this.#cluster.violations.add(this.#launches.started(start, others));
  }

  /** Commands, and tasks of custom executors, that live now. */
  #alive(): Start[] {
    return this.#cluster.agents.flatMap((host) => [
      ...host.processes.alive().map((process) => this.#taskOf(host, process)),
      ...host.executors.alive().map((served) => ({ host: host.name, attempt: 0, ...served })),
    ]);
  }

  #taskOf(agent: AgentHost, process: HostProcess): Start {
    const known = this.#startOf.get(process) ?? startOf(agent, process);
    this.#startOf.set(process, known);
    return known;
  }

  /** A task of a custom executor whose end was told to its framework does not go on. */
  #outlivers(): Violation[] {
    return this.#cluster.agents.flatMap((host) =>
      host.executors
        .alive()
        .filter(({ taskId }) => !this.givenUp.has(host.name) && this.statuses.hasEnded(taskId))
        .map(({ taskId }) => violation("outlives-its-end", taskId, `goes on in an executor of ${host.name}`)),
    );
  }

  #hostPorts(): Violation[] {
    return this.#cluster.agents.flatMap((agent) =>
      agent.processes
        .portClashes()
        .map(({ port, ids }) =>
          violation("port-twice", agent.name, `processes ${ids.join(" and ")} have port ${port}`),
        ),
    );
  }

  #toldSubnets(): ToldSubnet[] {
    return this.#cluster.agents.flatMap(({ name: host, nets }) =>
      [...nets.subnets].map(([network, subnet]) => ({ host, network, subnet })),
    );
  }

  #images(): Violation[] {
    return this.#cluster.agents.flatMap((agent) =>
      agent.images.unkept().map((id) => violation("image-unkept", id, `${agent.name}: nobody keeps its image`)),
    );
  }

  #networks(): Violation[] {
    return this.#cluster.agents.flatMap((agent) =>
      agent.nets.clashes
        .splice(0)
        .map((key) =>
          violation("network-gone", key, `${agent.name}: taken away under its tasks, or its address given twice`),
        ),
    );
  }
}

/** Which task a command is, as its environment and its folder say. */
function startOf(agent: AgentHost, { spec }: HostProcess): Start {
  return {
    host: agent.name,
    taskId: spec.environment["MUSTER_TASK_ID"] ?? "",
    launchId: launchIdOf(agent, spec.id),
    attempt: Number(/\.\d+-(\d+)$/.exec(spec.id)?.[1] ?? 0),
  };
}

/** The agent has written which launch it is before it started the command. */
function launchIdOf(agent: AgentHost, id: string): string {
  const intent = agent.disk.files.get(`tasks/${id.slice(0, id.lastIndexOf("."))}/intent`);
  return intent === undefined ? "" : (/"launchId":"([^"]*)"/.exec(Buffer.from(intent).toString("utf8"))?.[1] ?? "");
}
