import { emptyMessage } from "@muster/foundation";
import { codecOf, createScheduler, type Scheduler } from "@muster/framework-sdk";
import type { Offer, TaskInfo, TaskSpec, TaskStatus } from "@muster/proto";
import { masterAddress } from "@muster/testing";
import type { Lab } from "./lab.ts";

export interface HandTask {
  readonly taskId: string;
  readonly spec?: Partial<TaskSpec>;
  /** What its command does, in words that the simulated host understands. Default: "serve". */
  readonly does?: string;
}

/** A custom executor, with the task that starts it. */
export interface HandExecutor {
  readonly executorId: string;
  readonly task: HandTask;
}

function taskInfo({ taskId, spec, does = "serve" }: HandTask): TaskInfo {
  return {
    ...emptyMessage("TaskInfo"),
    taskId,
    name: taskId,
    resources: { ...emptyMessage("Resources"), cpuMillis: 100, memoryMiB: 32, portCount: 0 },
    spec: codecOf("TaskSpec").encode({
      ...emptyMessage("TaskSpec"),
      driver: "process",
      command: "work",
      arguments: does.split(" "),
      ...spec,
    }),
  };
}

/** A framework led by a test: it launches what it is told to, and acknowledges what it is let. */
export class Hand {
  /** News of tasks, with when it came. */
  readonly news: (TaskStatus & { readonly atMs: number })[] = [];
  /** Whether to leave a status unacknowledged. */
  withholds: (status: TaskStatus) => boolean = () => false;
  readonly #lab: Lab;
  #scheduler: Scheduler | undefined;
  #offers: Offer[] = [];

  constructor(lab: Lab) {
    this.#lab = lab;
    lab.cluster.addProgram("hand", "hand", (life) => {
      const framework = { name: "hand", roles: ["hand"], failoverTimeoutMs: 3_600_000 };
      this.#offers = [];
      this.#scheduler = createScheduler(
        lab.cluster.runtimeOf(life),
        { address: masterAddress, framework },
        {
          subscribed: () => {
            this.#offers = [];
          },
          offers: (offers) => void this.#offers.push(...offers),
          rescinded: (offerId) => {
            this.#offers = this.#offers.filter((offer) => offer.offerId !== offerId);
          },
          update: (status) => {
            this.news.push({ ...status, atMs: lab.nowMs });
            return this.withholds(status) ? "later" : undefined;
          },
        },
      );
      this.#scheduler.start();
    });
  }

  /** Launches one group on any agent that is offered. */
  launch(tasks: readonly HandTask[], ports: readonly string[] = [], executor?: HandExecutor): void {
    this.#lab.until(() => this.#offers.length > 0);
    const [offer] = this.#offers.splice(0, 1) as [Offer];
    const group = {
      ...emptyMessage("TaskGroup"),
      launchId: `launch-${tasks[0]?.taskId}`,
      ports: ports.map((label) => ({ ...emptyMessage("PortRequest"), label })),
      networkMode: "host",
      tasks: tasks.map(taskInfo),
      executor: executor
        ? { ...emptyMessage("ExecutorInfo"), executorId: executor.executorId, task: taskInfo(executor.task) }
        : null,
    };
    this.#inside(() => this.#scheduler?.accept([offer.offerId], [group], { refuseMs: 0 }));
  }

  kill(taskId: string, graceMs?: number): void {
    this.#inside(() => this.#scheduler?.kill(taskId, graceMs));
  }

  acknowledge(status: TaskStatus): void {
    this.#inside(() => this.#scheduler?.acknowledge(status));
  }

  of(taskId: string): (TaskStatus & { readonly atMs: number })[] {
    return this.news.filter((status) => status.taskId === taskId);
  }

  last(taskId: string): (TaskStatus & { readonly atMs: number }) | undefined {
    return this.of(taskId).at(-1);
  }

  /** What happens in the world happens as one of its events. */
  #inside(act: () => void): void {
    this.#lab.cluster.world.after(undefined, 0, "hand", act);
    this.#lab.run(0.01);
  }
}
