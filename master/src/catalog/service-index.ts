import { addressOfEndpoint, standingOf } from "@muster/foundation";
import type { CatalogInstance, CatalogService, EventsResponse, TaskRecord } from "@muster/proto";
import { catalogInstancesMax } from "./limits.ts";

/** What a task is found by, with what it is found as. */
type OfTask = ReadonlyMap<string, readonly CatalogInstance[]>;

/**
 * Instances that run and pass their checks, by the names of their services; kept in step with the feed. A change of a task
 * costs O(its names). About 0.5 KB for each such instance, and nothing before somebody asks.
 */
export class ServiceIndex {
  readonly #tasks = new Map<string, { readonly text: string; readonly names: OfTask }>();
  readonly #byName = new Map<string, Map<string, readonly CatalogInstance[]>>();
  /** Names that have changed since `takeChanges`. */
  #changed = new Set<string>();
  #isComplete = false;

  /** A snapshot has been taken in. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  take({ events, snapshotComplete }: EventsResponse): void {
    for (const { task, taskRemoved } of events) {
      if (task) this.#set(`${task.frameworkId}/${task.taskId}`, task);
      else if (taskRemoved) this.#drop(`${taskRemoved.frameworkId}/${taskRemoved.taskId}`);
    }
    if (snapshotComplete) this.#isComplete = true;
  }

  /** The feed begins anew. */
  clear(): void {
    for (const name of this.#byName.keys()) this.#changed.add(name);
    this.#tasks.clear();
    this.#byName.clear();
    this.#isComplete = false;
  }

  takeChanges(): ReadonlySet<string> {
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }

  /** In order of the ids of their tasks. O(instances log instances). */
  instances(name: string): CatalogInstance[] {
    const found = [...(this.#byName.get(name)?.values() ?? [])].flat();
    found.sort((one, other) =>
      one.taskId < other.taskId ? -1 : one.taskId > other.taskId ? 1 : one.port - other.port,
    );
    return found.slice(0, catalogInstancesMax);
  }

  /** O(instances of all services). */
  services(): CatalogService[] {
    return [...this.#byName]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, tasks]) => {
        const tags = new Set<string>();
        for (const instances of tasks.values()) for (const one of instances) for (const tag of one.tags) tags.add(tag);
        return { name, tags: [...tags].sort() };
      });
  }

  #set(key: string, record: TaskRecord): void {
    const names = standingOf(record) === "ready" ? namesOf(record) : undefined;
    if (!names) {
      this.#drop(key);
      return;
    }
    const text = JSON.stringify([...names]);
    if (this.#tasks.get(key)?.text === text) return;
    this.#drop(key);
    this.#tasks.set(key, { text, names });
    for (const [name, instances] of names) {
      this.#changed.add(name);
      const tasks = this.#byName.get(name) ?? new Map();
      this.#byName.set(name, tasks.set(key, instances));
    }
  }

  #drop(key: string): void {
    for (const name of this.#tasks.get(key)?.names.keys() ?? []) {
      this.#changed.add(name);
      const tasks = this.#byName.get(name);
      tasks?.delete(key);
      if (tasks?.size === 0) this.#byName.delete(name);
    }
    this.#tasks.delete(key);
  }
}

/** A task that names no service is found by its own name, as in DNS. */
function namesOf(record: TaskRecord): OfTask {
  const written = record.discovery?.endpoints ?? [];
  const endpoints = written.length > 0 ? written : [{ name: record.name, portLabel: "", tags: [], meta: {} }];
  const names = new Map<string, CatalogInstance[]>();
  for (const endpoint of endpoints) {
    const instance: CatalogInstance = {
      taskId: record.taskId,
      jobName: record.labels["job"] ?? "",
      agentId: record.agentId,
      agentName: record.agentName,
      agentIp: record.agentIp,
      ...addressOfEndpoint(record, endpoint),
      tags: [...endpoint.tags],
      meta: { ...endpoint.meta },
    };
    const name = endpoint.name || record.name;
    names.set(name, [...(names.get(name) ?? []), instance]);
  }
  return names;
}
