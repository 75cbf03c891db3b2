import { emptyMessage, grpcTransport } from "@muster/foundation";
import type { AgentRecord, EventsResponse, OfferRecord, TaskRecord, TaskStatus } from "@muster/proto";
import {
  type MasterView,
  noOverCommit,
  noPortTwice,
  resourcesConserved,
  StatusWatch,
  type Violation,
} from "@muster/testing";

const retryMs = 100;
const snapshotEveryMs = 700;
const snapshotTimeoutMs = 5_000;

/** Reads a live cluster through its feed: every status in order, and a whole snapshot every now and then. */
export class Watching {
  readonly violations: Violation[] = [];
  /** Every status that the feed told of a task, oldest first. */
  readonly statuses: TaskStatus[] = [];
  snapshotCount = 0;
  reconnectCount = 0;
  readonly #address: string;
  readonly #transport = grpcTransport();
  readonly #statusWatch = new StatusWatch();
  #isOver = false;
  #snapshotTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;

  constructor(masterAddress: string) {
    this.#address = masterAddress;
  }

  start(): void {
    this.#follow(0, 0);
    const look = (): void => {
      this.snapshot().then(
        (view) => {
          if (view) this.#check(view);
          if (!this.#isOver) this.#snapshotTimer = setTimeout(look, snapshotEveryMs);
        },
        () => {},
      );
    };
    look();
  }

  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#snapshotTimer);
    clearTimeout(this.#retryTimer);
    this.#transport.close();
  }

  /** What the master says about itself at one moment; undefined while it can't be asked. */
  snapshot(): Promise<MasterView | undefined> {
    const agents: AgentRecord[] = [];
    const tasks: TaskRecord[] = [];
    const offers: OfferRecord[] = [];
    return new Promise((resolve) => {
      const done = (view: MasterView | undefined): void => {
        clearTimeout(timer);
        cancel();
        resolve(view);
      };
      const timer = setTimeout(() => done(undefined), snapshotTimeoutMs);
      const cancel = this.#transport.follow("Watch.Events", this.#address, emptyMessage("EventsRequest"), {
        receive: (message) => {
          if (!message.snapshot) return;
          for (const { agent, task, offer } of message.events) {
            if (agent) agents.push(agent);
            if (task) tasks.push(task);
            if (offer) offers.push(offer);
          }
          if (message.snapshotComplete) done({ agents, tasks, offers, overlays: [], roles: [] });
        },
        drained: () => {},
        closed: () => done(undefined),
      });
    });
  }

  #check(view: MasterView): void {
    this.snapshotCount++;
    for (const checker of [noOverCommit, resourcesConserved, noPortTwice]) this.violations.push(...checker(view));
  }

  #follow(epoch: number, sequence: number): void {
    let at = { epoch, sequence };
    const request = { ...emptyMessage("EventsRequest"), epoch, sequence };
    this.#transport.follow("Watch.Events", this.#address, request, {
      receive: (message) => {
        // A snapshot that broke off can't be resumed from.
        if (!message.snapshot || message.snapshotComplete) at = { epoch: message.epoch, sequence: message.sequence };
        this.#take(message);
      },
      drained: () => {},
      closed: () => {
        if (this.#isOver) return;
        this.reconnectCount++;
        this.#retryTimer = setTimeout(() => this.#follow(at.epoch, at.sequence), retryMs);
      },
    });
  }

  #take(message: EventsResponse): void {
    for (const { task } of message.events) {
      if (!task?.status) continue;
      this.statuses.push(task.status);
      this.violations.push(...this.#statusWatch.delivered(task.status));
    }
  }
}
