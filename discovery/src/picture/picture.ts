import { type AgentRecord, AgentState, type FrameworkRecord, type TaskRecord, type WatchEvent } from "@muster/proto";
import { agentNames } from "../names/cluster-names.ts";
import { domainFragment } from "../names/label.ts";
import type { DnsRecord } from "../names/record.ts";
import type { Zone } from "../zone/zone.ts";
import { changeOf } from "./change.ts";
import { type KnownTask, knownTask, taskKey } from "./known-task.ts";

/** The tasks of one shared name, as far as health is concerned. */
interface NameHealth {
  readyCount: number;
  readonly failing: Set<string>;
}

/**
 * The cluster as the master tells it, kept in step with the zone. A change of one task costs O(its records), and
 * O(tasks of its name) when the name's last healthy task goes or its first one comes.
 */
export class Picture {
  readonly #zone: Zone;
  readonly #domain: string;
  readonly #tasks = new Map<string, KnownTask>();
  readonly #byAgent = new Map<string, Set<string>>();
  readonly #health = new Map<string, NameHealth>();
  readonly #agents = new Set<string>();
  readonly #lostAgents = new Set<string>();
  readonly #frameworks = new Set<string>();
  #awaited: ReadonlySet<string> = new Set();
  /** Tasks and agents that the latest snapshot lacked and that are kept because their agent is awaited. */
  readonly #heldTasks = new Set<string>();
  readonly #heldAgents = new Set<string>();
  #refusedCount = 0;

  constructor(zone: Zone, domain: string) {
    this.#zone = zone;
    this.#domain = domain;
  }

  /** Running tasks, in no order. */
  tasks(): Iterable<KnownTask> {
    return this.#tasks.values();
  }

  /** Names of running tasks that are not published because they cannot be. */
  get refusedCount(): number {
    return this.#refusedCount;
  }

  /** How many tasks are published although the master does not know them yet. */
  get heldCount(): number {
    return this.#heldTasks.size;
  }

  /** The records of a task that are published now. */
  recordsOf(task: KnownTask): DnsRecord[] {
    if (this.#lostAgents.has(task.agentId)) return [];
    return task.names.flatMap((name) =>
      this.#isShared(task, name.service) ? [...name.shared, ...name.own] : name.own,
    );
  }

  /** Changes in order. */
  change(events: readonly WatchEvent[]): void {
    let awaited: readonly string[] | undefined;
    for (const event of events) {
      const change = changeOf(event);
      switch (change.kind) {
        case "task":
          this.#setTask(change.task);
          break;
        case "task-removed":
          this.#dropTask(taskKey(change.frameworkId, change.taskId));
          break;
        case "agent":
          this.#setAgent(change.agent);
          break;
        case "agent-removed":
          this.#dropAgent(change.agentId);
          break;
        case "framework":
          this.#setFramework(change.framework);
          break;
        case "framework-removed":
          this.#dropFramework(change.frameworkId);
          break;
        case "agents-awaited":
          awaited = change.agentIds;
          break;
        case "other":
          break;
      }
    }
    // Last: what the same message tells of the tasks of an agent that is back counts first.
    if (awaited) this.#setAwaited(new Set(awaited));
  }

  /** The whole cluster anew, in one step: what it does not tell is gone, but for what awaited agents may still run. */
  replace(events: readonly WatchEvent[]): void {
    const tasks = new Set<string>();
    const agents = new Set<string>();
    const frameworks = new Set<string>();
    let awaited: ReadonlySet<string> = new Set();
    for (const event of events) {
      const change = changeOf(event);
      if (change.kind === "task") tasks.add(taskKey(change.task.frameworkId, change.task.taskId));
      else if (change.kind === "agent") agents.add(change.agent.agentId);
      else if (change.kind === "framework") frameworks.add(change.framework.frameworkId);
      else if (change.kind === "agents-awaited") awaited = new Set(change.agentIds);
    }
    this.#awaited = awaited;
    this.change(events.filter((event) => changeOf(event).kind !== "agents-awaited"));
    for (const task of [...this.#tasks.values()]) {
      if (tasks.has(task.key)) continue;
      if (awaited.has(task.agentId)) this.#heldTasks.add(task.key);
      else this.#dropTask(task.key);
    }
    for (const agentId of [...this.#agents]) {
      if (agents.has(agentId)) continue;
      if (awaited.has(agentId)) this.#heldAgents.add(agentId);
      else this.#dropAgent(agentId);
    }
    for (const frameworkId of [...this.#frameworks]) if (!frameworks.has(frameworkId)) this.#dropFramework(frameworkId);
  }

  #setAwaited(awaited: ReadonlySet<string>): void {
    this.#awaited = awaited;
    for (const key of [...this.#heldTasks]) {
      const task = this.#tasks.get(key);
      if (!task || !this.#awaited.has(task.agentId)) this.#dropTask(key);
    }
    for (const agentId of [...this.#heldAgents]) if (!this.#awaited.has(agentId)) this.#dropAgent(agentId);
  }

  #setTask(record: TaskRecord): void {
    const key = taskKey(record.frameworkId, record.taskId);
    const before = this.#tasks.get(key);
    const task = knownTask(record, this.#domain, before);
    if (!task) {
      this.#dropTask(key);
      return;
    }
    this.#heldTasks.delete(key);
    if (task !== before) this.#swap(before, task);
  }

  #dropTask(key: string): void {
    this.#heldTasks.delete(key);
    const task = this.#tasks.get(key);
    if (task) this.#swap(task, undefined);
  }

  /** One task in place of another of the same key; either may be missing. */
  #swap(before: KnownTask | undefined, after: KnownTask | undefined): void {
    const key = (after ?? before)?.key;
    if (key === undefined) return;
    const services = new Set([...(before?.names ?? []), ...(after?.names ?? [])].map((name) => name.service));
    const wasInPanic = [...services].filter((service) => this.#isInPanic(service));
    if (before) this.#forget(before);
    if (after) this.#remember(after);
    else this.#zone.remove(`task/${key}`);
    if (after) this.#publish(after);
    for (const service of services) {
      if (wasInPanic.includes(service) === this.#isInPanic(service)) continue;
      for (const failing of this.#health.get(service)?.failing ?? []) this.#republish(failing);
    }
  }

  #forget(task: KnownTask): void {
    this.#tasks.delete(task.key);
    this.#refusedCount -= task.refused.length;
    const ofAgent = this.#byAgent.get(task.agentId);
    ofAgent?.delete(task.key);
    if (ofAgent?.size === 0) this.#byAgent.delete(task.agentId);
    this.#count(task, -1);
  }

  #remember(task: KnownTask): void {
    this.#tasks.set(task.key, task);
    this.#refusedCount += task.refused.length;
    const ofAgent = this.#byAgent.get(task.agentId);
    if (ofAgent) ofAgent.add(task.key);
    else this.#byAgent.set(task.agentId, new Set([task.key]));
    this.#count(task, 1);
  }

  /** Counts a task in, or out, of the health of its names. A task on a lost agent does not count. */
  #count(task: KnownTask, by: 1 | -1): void {
    if (this.#lostAgents.has(task.agentId)) return;
    for (const { service } of task.names) {
      let health = this.#health.get(service);
      if (!health) {
        health = { readyCount: 0, failing: new Set() };
        this.#health.set(service, health);
      }
      if (task.standing === "ready") health.readyCount += by;
      else if (task.standing === "failing" && by > 0) health.failing.add(task.key);
      else if (task.standing === "failing") health.failing.delete(task.key);
      if (health.readyCount === 0 && health.failing.size === 0) this.#health.delete(service);
    }
  }

  /** All that still run under a name fail: more likely the check is wrong, or its target, than every one of them. */
  #isInPanic(service: string): boolean {
    const health = this.#health.get(service);
    return health !== undefined && health.readyCount === 0 && health.failing.size > 0;
  }

  #isShared(task: KnownTask, service: string): boolean {
    if (task.standing === "ready") return true;
    return task.standing === "failing" && task.mayPanic && this.#isInPanic(service);
  }

  #republish(key: string): void {
    const task = this.#tasks.get(key);
    if (task) this.#publish(task);
  }

  #publish(task: KnownTask): void {
    const source = `task/${task.key}`;
    if (this.#lostAgents.has(task.agentId)) {
      this.#zone.remove(source);
      return;
    }
    // A name whose tasks run but are not fit has no records; it exists, so that nobody believes it does not.
    const emptyNames = new Set<string>();
    for (const { service, shared } of task.names)
      if (!this.#isShared(task, service)) for (const record of shared) emptyNames.add(record.name);
    this.#zone.replace(source, this.recordsOf(task), [...emptyNames]);
  }

  #setAgent(agent: AgentRecord): void {
    const { agentId, state } = agent;
    const isLost = state === AgentState.AGENT_STATE_UNREACHABLE || state === AgentState.AGENT_STATE_GONE;
    this.#agents.add(agentId);
    this.#heldAgents.delete(agentId);
    if (isLost !== this.#lostAgents.has(agentId)) this.#moveAgent(agentId, isLost);
    // An awaited agent may be known by its id alone: what was known of it before still holds.
    if (state === AgentState.AGENT_STATE_AWAITED && agent.ip === "") return;
    this.#zone.replace(`agent/${agentId}`, isLost ? [] : agentNames(agent.name || agentId, agent.ip, this.#domain));
  }

  /** Takes the tasks of an agent out of all names at once when it is lost, and back when it is not. */
  #moveAgent(agentId: string, isLost: boolean): void {
    const tasks = [...(this.#byAgent.get(agentId) ?? [])].flatMap((key) => this.#tasks.get(key) ?? []);
    for (const task of tasks) this.#swap(task, undefined);
    if (isLost) this.#lostAgents.add(agentId);
    else this.#lostAgents.delete(agentId);
    for (const task of tasks) this.#swap(undefined, task);
  }

  #dropAgent(agentId: string): void {
    this.#agents.delete(agentId);
    this.#heldAgents.delete(agentId);
    this.#lostAgents.delete(agentId);
    this.#zone.remove(`agent/${agentId}`);
  }

  #setFramework(framework: FrameworkRecord): void {
    this.#frameworks.add(framework.frameworkId);
    const fragment = domainFragment(framework.name);
    const names = fragment === "" ? [] : [`${fragment}.${this.#domain}`];
    this.#zone.replace(`framework/${framework.frameworkId}`, [], names);
  }

  #dropFramework(frameworkId: string): void {
    this.#frameworks.delete(frameworkId);
    this.#zone.remove(`framework/${frameworkId}`);
  }
}
