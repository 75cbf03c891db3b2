import {
  AgentRefusals,
  codecOf,
  createScheduler,
  createStateClient,
  type ExecutorInfo,
  emptyMessage,
  isTerminal,
  Matcher,
  type MusterError,
  noResources,
  type Offer,
  type Resources,
  type Runtime,
  resources,
  roomOf,
  type Scheduler,
  type StateClient,
  type TaskGroup,
  TaskState,
  type TaskStatus,
} from "@muster/framework-sdk";

/** One piece of work: a group of tasks that has to end well once, however often it takes. */
export interface WorkItem {
  readonly number: number;
  /** Not before, after the beginning of the world. */
  readonly releasedAtMs: number;
  /** What each task of the group does, in the words of simulated commands. */
  readonly tasks: readonly (readonly string[])[];
  readonly portLabels: readonly string[];
  readonly resources: Resources;
}

/** What is kept of an item in State, durable before it is acted upon. */
export interface ItemRecord {
  readonly attempt: number;
  readonly launchId: string;
  /** How each task ended, by id; an item is done when all of them are there and well. */
  readonly ends: Readonly<Record<string, TaskState>>;
  readonly isDone: boolean;
}

export const batchName = "batch";

export function itemKey(number: number): string {
  return `items/${String(number).padStart(5, "0")}`;
}

export function decodeItem(bytes: Uint8Array): ItemRecord {
  return JSON.parse(Buffer.from(bytes).toString("utf8")) as ItemRecord;
}

export interface BatchConfig {
  readonly address: string;
  readonly items: readonly WorkItem[];
  /** Its state was changed by a write that its predecessor had on the way: it has to begin anew. */
  readonly overtaken: () => void;
}

/** How often work that is due is looked for. */
const lookMs = 1_000;
/** Items whose launch is being prepared on one set of offers. */
const launchesPerAcceptMax = 10;

type Phase = "waiting" | "recording" | "launched" | "unsure" | "done";

interface Item {
  readonly work: WorkItem;
  phase: Phase;
  record: ItemRecord | undefined;
  version: number;
  isWriting: boolean;
  /** Ends that the next write makes durable. */
  unacknowledged: TaskStatus[];
}

/**
 * A framework on the SDK alone that gets a list of work done. It records an attempt before it launches it and an end
 * before it acknowledges it, so that a crash at any moment neither loses nor repeats anything that went well.
 */
export class BatchFramework {
  readonly #runtime: Runtime;
  readonly #items = new Map<number, Item>();
  readonly #byTask = new Map<string, Item>();
  readonly #state: StateClient;
  readonly #scheduler: Scheduler;
  readonly #offers = new Map<string, Offer>();
  readonly #overtaken: () => void;
  readonly #agentRefusals = new AgentRefusals();
  #wantsOffers = true;

  constructor(runtime: Runtime, config: BatchConfig) {
    this.#runtime = runtime;
    this.#overtaken = config.overtaken;
    for (const work of config.items)
      this.#items.set(work.number, {
        work,
        phase: "waiting",
        record: undefined,
        version: 0,
        isWriting: false,
        unacknowledged: [],
      });
    this.#state = createStateClient(runtime, { address: config.address, framework: batchName });
    this.#scheduler = createScheduler(
      runtime,
      { address: config.address, framework: { name: batchName, roles: ["batch"] } },
      {
        subscribed: () => this.#offers.clear(),
        disconnected: () => this.#offers.clear(),
        offers: (offers) => {
          for (const offer of offers) this.#offers.set(offer.offerId, offer);
          this.#place();
        },
        rescinded: (offerId) => this.#offers.delete(offerId),
        update: (status) => this.#update(status),
        reconciled: ({ complete }) => {
          if (complete) this.#settleUnsure();
        },
      },
    );
  }

  start(): void {
    this.#state.list("items/", (result) => {
      if (!result.ok) throw result.error;
      for (const { key, value, version } of result.value) {
        const item = this.#items.get(Number(key.slice("items/".length)));
        if (item === undefined) continue;
        item.record = decodeItem(value);
        item.version = version;
        // Of an attempt whose ends are all known nothing more will be told.
        item.phase = item.record.isDone ? "done" : hasEnded(item) ? "waiting" : "unsure";
        this.#index(item);
      }
      this.#scheduler.start();
      this.#look();
    });
  }

  /** The least that it could use now; undefined: nothing is due. */
  wanted(): Resources | undefined {
    const least = (left: Resources, right: Resources): Resources => (left.cpuMillis <= right.cpuMillis ? left : right);
    const due = this.#due().map(({ work }) => ({ ...totalOf(work), portCount: work.portLabels.length }));
    return due.length === 0 ? undefined : due.reduce(least);
  }

  #look(): void {
    this.#place();
    this.#runtime.clock.after(lookMs, () => this.#look());
  }

  /** Gives what is due to the offers at hand; what is left goes back. */
  #place(): void {
    const due = this.#due();
    if (due.length > 0 && !this.#wantsOffers) this.#scheduler.revive();
    if (due.length === 0 && this.#wantsOffers) this.#scheduler.suppress();
    this.#wantsOffers = due.length > 0;
    const chosen = new Map<Offer, Item[]>();
    const nowMs = this.#runtime.clock.monotonicMs();
    const offers = [...this.#offers.values()].filter(({ agentId }) => this.#agentRefusals.waitMs(agentId, nowMs) === 0);
    const matcher = new Matcher(offers.map(roomOf), this.#runtime.random.stream("match"));
    for (const item of due.slice(0, launchesPerAcceptMax)) {
      const need = {
        resources: totalOf(item.work),
        dynamicPortCount: item.work.portLabels.length,
        staticPorts: [],
        constraints: [],
      };
      const answer = matcher.place(need, matcher.occupants([]));
      if (!("placed" in answer)) continue;
      const offer = offers.find(({ agentId }) => agentId === answer.placed.agentId);
      if (offer !== undefined) chosen.set(offer, [...(chosen.get(offer) ?? []), item]);
    }
    for (const [offer, items] of chosen) this.#launch(offer, items);
    for (const offerId of [...this.#offers.keys()]) {
      this.#offers.delete(offerId);
      this.#scheduler.decline([offerId], due.length > 0 ? 1_000 : 5_000);
    }
  }

  #due(): Item[] {
    const nowMs = this.#runtime.clock.monotonicMs();
    return [...this.#items.values()].filter(
      ({ phase, isWriting, work }) => phase === "waiting" && !isWriting && work.releasedAtMs <= nowMs,
    );
  }

  /** Records the attempts, then launches them on the offer, which is kept out of other hands meanwhile. */
  #launch(offer: Offer, items: readonly Item[]): void {
    this.#offers.delete(offer.offerId);
    const records = items.map((item) => newAttempt(item));
    for (const item of items) item.phase = "recording";
    const writes = items.map((item, index) => ({
      key: itemKey(item.work.number),
      version: item.version,
      put: encode(records[index] as ItemRecord),
    }));
    this.#state.transact(writes, (result) => {
      if (!result.ok) return this.#refused(result.error);
      for (const [index, item] of items.entries()) {
        item.version = result.value[index] ?? 0;
        item.record = records[index];
        item.phase = "launched";
        this.#index(item);
        for (const status of item.unacknowledged.splice(0)) this.#scheduler.acknowledge(status);
      }
      this.#scheduler.accept([offer.offerId], items.map(groupOf), { refuseMs: 100 });
    });
  }

  #update(status: TaskStatus): "later" | undefined {
    this.#agentRefusals.heard(status, this.#runtime.clock.monotonicMs());
    const item = this.#byTask.get(status.taskId);
    if (item?.record === undefined || !taskIdsOf(item).includes(status.taskId)) return undefined;
    if (status.state === TaskState.TASK_UNKNOWN) {
      if (item.phase === "unsure" || item.phase === "launched") this.#again(item);
      return undefined;
    }
    if (item.phase === "unsure") item.phase = "launched";
    if (!isTerminal(status.state) || item.record.ends[status.taskId] !== undefined) return undefined;
    // Given up, and its successor is being recorded: this word comes too late, and is taken in with that record.
    if (item.phase === "recording") {
      item.unacknowledged.push(status);
      return "later";
    }
    this.#recordEnd(item, status);
    return "later";
  }

  /** One write of an item at a time, each on top of the last: what ends meanwhile goes into the next one. */
  #recordEnd(item: Item, status: TaskStatus): void {
    const before = item.record as ItemRecord;
    const ends = { ...before.ends, [status.taskId]: status.state };
    const isOver = taskIdsOf(item).every((taskId) => ends[taskId] !== undefined);
    const isDone = isOver && Object.values(ends).every((state) => state === TaskState.TASK_FINISHED);
    item.record = { ...before, ends, isDone };
    item.unacknowledged.push(status);
    if (!item.isWriting) this.#write(item);
  }

  #write(item: Item): void {
    const record = item.record as ItemRecord;
    const acknowledged = item.unacknowledged;
    item.unacknowledged = [];
    item.isWriting = true;
    const write = { key: itemKey(item.work.number), version: item.version, put: encode(record) };
    this.#state.transact([write], (result) => {
      if (!result.ok) return this.#refused(result.error);
      item.version = result.value[0] ?? 0;
      item.isWriting = false;
      for (const status of acknowledged) this.#scheduler.acknowledge(status);
      if (item.unacknowledged.length > 0) this.#write(item);
      else if (record.isDone) item.phase = "done";
      else if (hasEnded(item)) this.#again(item);
    });
  }

  #refused(error: MusterError): void {
    if (error.kind !== "stale") throw error;
    this.#overtaken();
  }

  /** Everything of the framework has been told: what was recorded and not told of was never launched. */
  #settleUnsure(): void {
    for (const item of this.#items.values()) {
      if (item.phase !== "unsure") continue;
      this.#again(item);
    }
  }

  #again(item: Item): void {
    item.phase = "waiting";
  }

  #index(item: Item): void {
    for (const taskId of taskIdsOf(item)) this.#byTask.set(taskId, item);
  }
}

function newAttempt(item: Item): ItemRecord {
  const attempt = (item.record?.attempt ?? 0) + 1;
  return { attempt, launchId: `batch-${item.work.number}-${attempt}`, ends: {}, isDone: false };
}

function taskIdsOf({ work, record }: Item): string[] {
  return work.tasks.map((_, index) => `batch.${work.number}.${index}.${record?.attempt ?? 0}`);
}

/** Every task of the present attempt has ended, well or not. */
function hasEnded(item: Item): boolean {
  return taskIdsOf(item).every((taskId) => item.record?.ends[taskId] !== undefined);
}

function totalOf(work: WorkItem): Resources {
  const { cpuMillis, memoryMiB } = work.resources;
  const own = hasExecutor(work) ? executorAmounts : { cpuMillis: 0, memoryMiB: 0 };
  return resources({
    cpuMillis: cpuMillis * work.tasks.length + own.cpuMillis,
    memoryMiB: memoryMiB * work.tasks.length + own.memoryMiB,
  });
}

/** Some work is done by an executor, of which one lives on an agent at a time. */
function hasExecutor({ number }: WorkItem): boolean {
  return number % 5 === 2;
}

const executorAmounts = { cpuMillis: 100, memoryMiB: 128 };

function executorOf(launchId: string): ExecutorInfo {
  return {
    ...emptyMessage("ExecutorInfo"),
    executorId: "pool",
    registrationTimeoutMs: 10_000,
    idleTimeoutMs: 8_000,
    task: {
      ...emptyMessage("TaskInfo"),
      taskId: `pool.${launchId}`,
      name: "pool",
      resources: resources(executorAmounts),
      spec: codecOf("TaskSpec").encode({ ...emptyMessage("TaskSpec"), command: "pool", arguments: ["attach"] }),
    },
  };
}

function modeOf(work: WorkItem): string {
  const { number, portLabels } = work;
  if (hasExecutor(work)) return "";
  if (number % 4 === 1) return "bridge";
  return portLabels.length === 0 ? "none" : "host";
}

/** Some tasks run from images, of which there are a few. */
function driverOf({ number }: WorkItem): { readonly driver: string; readonly driverConfigJson: string } {
  if (number % 5 !== 2) return { driver: "process", driverConfigJson: "" };
  return { driver: "oci", driverConfigJson: JSON.stringify({ image: `work:${number % 3}` }) };
}

function groupOf(item: Item): TaskGroup {
  const { work, record } = item;
  const ids = taskIdsOf(item);
  return {
    ...emptyMessage("TaskGroup"),
    launchId: record?.launchId ?? "",
    networkMode: modeOf(work),
    executor: hasExecutor(work) ? executorOf(record?.launchId ?? "") : null,
    ports: work.portLabels.map((label) => ({ ...emptyMessage("PortRequest"), label })),
    tasks: work.tasks.map((words, index) => ({
      ...emptyMessage("TaskInfo"),
      taskId: ids[index] ?? "",
      name: "work",
      resources: { ...noResources, ...work.resources },
      spec: codecOf("TaskSpec").encode({
        ...emptyMessage("TaskSpec"),
        ...driverOf(work),
        command: "work",
        arguments: [...words],
      }),
    })),
  };
}

function encode(record: ItemRecord): Buffer {
  return Buffer.from(JSON.stringify(record));
}
