import { isTerminal } from "@muster/foundation";
import { type MasterView, type Violation, violation } from "@muster/master";
import type { AgentRecord, EventsResponse, TaskRecord, WatchEvent } from "@muster/proto";

/**
 * Follows the whole feed as a reader does: a snapshot, then every change in its order. In the end its picture is what the
 * master says of itself, and on the way no change is missing and none comes twice.
 */
export class FeedWatch {
  #epoch = 0;
  #sequence = 0;
  #arriving: WatchEvent[] | undefined;
  #agents = new Map<string, AgentRecord>();
  #tasks = new Map<string, TaskRecord>();
  #offers = new Set<string>();

  /** Where a reader that begins anew resumes. */
  get place(): { readonly epoch: number; readonly sequence: number } {
    return { epoch: this.#epoch, sequence: this.#sequence };
  }

  /** A new stream begins: what was only half told is told again. */
  opened(): void {
    this.#arriving = undefined;
  }

  receive(message: EventsResponse): Violation[] {
    if (message.snapshot) {
      this.#arriving ??= [];
      for (const event of message.events) this.#arriving.push(event);
      if (message.snapshotComplete) this.#begin(message, this.#arriving);
      return [];
    }
    const found: Violation[] = [];
    if (message.epoch !== this.#epoch)
      found.push(violation("feed-gap", "feed", `changes of epoch ${message.epoch}, the picture is of ${this.#epoch}`));
    for (const event of message.events) {
      if (event.sequence !== this.#sequence + 1)
        found.push(violation("feed-gap", "feed", `event ${event.sequence} follows ${this.#sequence}`));
      this.#sequence = event.sequence;
      this.#apply(event);
    }
    this.#sequence = message.sequence;
    return found;
  }

  /** To be asked when all has been well for a while and the reader has read. */
  differences({ agents, tasks, offers }: MasterView): Violation[] {
    const living = new Map(tasks.filter(isLiving).map((task) => [keyOf(task), task]));
    const pictured = new Map([...this.#tasks].filter(([, task]) => isLiving(task)));
    return [
      ...different("agent", new Set(this.#agents.keys()), new Set(agents.map(({ agentId }) => agentId))),
      ...different("task", new Set(pictured.keys()), new Set(living.keys())),
      ...different("offer", this.#offers, new Set(offers.map(({ offerId }) => offerId))),
      ...[...living].flatMap(([key, task]) => {
        const told = pictured.get(key)?.status?.state;
        return told === undefined || told === task.status?.state
          ? []
          : [violation("feed-differs", key, `the feed told state ${told}, the master has ${task.status?.state}`)];
      }),
    ];
  }

  #begin({ epoch, sequence }: EventsResponse, events: readonly WatchEvent[]): void {
    this.#arriving = undefined;
    this.#epoch = epoch;
    this.#sequence = sequence;
    this.#agents = new Map();
    this.#tasks = new Map();
    this.#offers = new Set();
    for (const event of events) this.#apply(event);
  }

  #apply({ agent, agentRemoved, task, taskRemoved, offer, offerEnded }: WatchEvent): void {
    if (agent) this.#agents.set(agent.agentId, agent);
    if (agentRemoved) this.#agents.delete(agentRemoved);
    if (task) this.#tasks.set(keyOf(task), task);
    if (taskRemoved) this.#tasks.delete(keyOf(taskRemoved));
    if (offer) this.#offers.add(offer.offerId);
    if (offerEnded) this.#offers.delete(offerEnded.offerId);
  }
}

function different(kind: string, told: ReadonlySet<string>, real: ReadonlySet<string>): Violation[] {
  return [
    ...[...told]
      .filter((id) => !real.has(id))
      .map((id) => violation("feed-differs", id, `the feed has ${kind} too many`)),
    ...[...real].filter((id) => !told.has(id)).map((id) => violation("feed-differs", id, `the feed lacks the ${kind}`)),
  ];
}

function isLiving({ status }: TaskRecord): boolean {
  return !isTerminal(status?.state ?? 0);
}

function keyOf({ frameworkId, taskId }: { readonly frameworkId: string; readonly taskId: string }): string {
  return `${frameworkId}/${taskId}`;
}
