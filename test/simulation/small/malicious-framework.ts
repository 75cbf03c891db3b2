import { emptyMessage, type Outlet, type Random, randomInt, resources, type Transport } from "@muster/foundation";
import type { MasterView } from "@muster/master";
import {
  type Accept,
  type Offer,
  type Operation,
  type SubscribeRequest,
  type SubscribeResponse,
  type TaskRecord,
  TaskState,
} from "@muster/proto";
import { type Life, masterAddress, type SimCluster } from "@muster/testing";

export const maliciousName = "mallory";

/** It does something every so often, and is back so soon when it is thrown out. */
const mischiefMs = 1_500;
const returnMs = 500;
/** Calls of one flood. */
const floodCount = 100;

/**
 * A framework that means harm, with nothing but what any framework may send: ids and offers of others, amounts below
 * zero, names in use, floods. It never keeps what it is offered, so that nobody waits for it.
 */
export class MaliciousFramework {
  readonly #cluster: SimCluster;
  readonly #life: Life;
  readonly #random: Random;
  readonly #transport: Transport;
  #outlet: Outlet<SubscribeRequest> | undefined;
  readonly #name: string;
  readonly #everyMs: number;
  #launchCount = 0;

  /** `everyMs`: how often it does harm, about. */
  constructor(cluster: SimCluster, life: Life, everyMs = mischiefMs) {
    this.#cluster = cluster;
    this.#life = life;
    this.#name = life.name;
    this.#everyMs = everyMs;
    this.#random = cluster.world.random(`${life.name}/${life.number}`);
    this.#transport = cluster.network.transportOf(life);
  }

  start(): void {
    this.#subscribe();
    this.#doHarm();
  }

  #subscribe(): void {
    const outlet = this.#transport.open("Scheduling.Subscribe", masterAddress, {
      receive: (message) => this.#receive(message),
      drained: () => {},
      closed: () => {
        this.#outlet = undefined;
        this.#cluster.world.after(this.#life, returnMs, "subscribe", () => this.#subscribe());
      },
    });
    const framework = {
      ...emptyMessage("FrameworkInfo"),
      name: this.#name,
      roles: [this.#name],
      failoverTimeoutMs: 1_000,
    };
    outlet.send({
      ...emptyMessage("SubscribeRequest"),
      subscription: { ...emptyMessage("Subscription"), framework },
    });
    this.#outlet = outlet;
  }

  /** What it is offered it uses for something that can't be. */
  #receive({ offers }: SubscribeResponse): void {
    for (const offer of offers) {
      if (this.#random.next() < 0.5) this.#send({ declines: [{ offerIds: [offer.offerId], filters: null }] });
      else this.#send({ accepts: [this.#accept([offer.offerId, offer.offerId], offer)] });
      this.#send({ declines: [{ offerIds: [offer.offerId], filters: { refuseMs: 2_000 } }] });
    }
  }

  #doHarm(): void {
    this.#cluster.world.after(this.#life, this.#everyMs * (0.5 + this.#random.next()), "harm", () => {
      const view = this.#cluster.master.view();
      if (view !== undefined && this.#outlet !== undefined) this.#harm(view);
      this.#doHarm();
    });
  }

  #harm(view: MasterView): void {
    const offer = this.#any(view.offers);
    const task = this.#any(view.tasks);
    const agentId = this.#any(view.agents)?.agentId ?? "";
    const mischiefs: readonly (() => void)[] = [
      () => offer && this.#send({ accepts: [this.#accept([offer.offerId], offer)] }),
      () => offer && this.#send({ declines: [{ offerIds: [offer.offerId], filters: { refuseMs: 365 * 86_400_000 } }] }),
      () => this.#send({ accepts: [this.#accept([], { agentId })] }),
      () => task && this.#againstTask(task),
      () => this.#claim(agentId, task?.taskId ?? "x"),
      () => this.#send({ executorShutdowns: [{ agentId, executorId: "pool" }] }),
      () => this.#send({ executorMessages: [{ agentId, executorId: "pool", data: Buffer.alloc(1_000) }] }),
      () => this.#flood(view),
      () =>
        this.#send({
          demands: [
            { ...emptyMessage("Demand"), role: "lab", count: 1_000_000, resources: resources({ cpuMillis: 1 }) },
          ],
        }),
      () => this.#send({ revives: [{ roles: ["lab", "", "*", "x".repeat(500)] }], suppresses: [{ roles: ["lab"] }] }),
    ];
    this.#any(mischiefs)?.();
  }

  /** Kills, acknowledges and asks about what is not its own. */
  #againstTask({ taskId, agentId, status }: TaskRecord): void {
    this.#send({
      kills: [{ taskId, agentId, graceMs: 0 }],
      acknowledgements: [{ taskId, agentId, updateId: status?.updateId ?? "" }],
      reconciles: [{ reconcileId: "r", tasks: [{ taskId, agentId }] }],
    });
  }

  #claim(agentId: string, taskId: string): void {
    this.#send({
      claims: [
        {
          ...emptyMessage("Claim"),
          claimId: `c-${this.#launchCount}`,
          agentId,
          role: "lab",
          setId: "s",
          setSize: 1_000,
          operations: [this.#launch(taskId, agentId)],
        },
      ],
    });
  }

  #flood(view: MasterView): void {
    const offerIds = view.offers.map(({ offerId }) => offerId);
    for (let count = 0; count < floodCount; count++)
      this.#send({ declines: [{ offerIds: [...offerIds, `none-${count}`], filters: null }], revives: [{ roles: [] }] });
  }

  #accept(offerIds: readonly string[], { agentId }: Pick<Offer, "agentId">): Accept {
    return { offerIds: [...offerIds], operations: [this.#launch(this.#taskIdInUse(), agentId)], filters: null };
  }

  #launch(taskId: string, agentId: string): Operation {
    const count = ++this.#launchCount;
    const amounts = this.#any([
      { cpuMillis: -500, memoryMiB: -64 },
      { cpuMillis: 1e12, memoryMiB: 64 },
      { cpuMillis: 1 },
    ]);
    const task = {
      ...emptyMessage("TaskInfo"),
      taskId,
      name: agentId,
      resources: { ...resources({}), ...amounts },
    };
    const group = { ...emptyMessage("TaskGroup"), launchId: `m-${count % 3}`, tasks: [task, task] };
    return { ...emptyMessage("Operation"), launch: { groups: [group] } };
  }

  #taskIdInUse(): string {
    const tasks = this.#cluster.master.view()?.tasks ?? [];
    return this.#any(tasks.filter(({ status }) => status?.state === TaskState.TASK_RUNNING))?.taskId ?? "../../etc";
  }

  #any<T>(among: readonly T[]): T | undefined {
    return among[randomInt(this.#random, Math.max(1, among.length))];
  }

  #send(parts: Partial<SubscribeRequest>): void {
    this.#outlet?.send({ ...emptyMessage("SubscribeRequest"), ...parts });
  }
}
