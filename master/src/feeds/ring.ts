import type { TaskStatus, WatchEvent, WatchKind } from "@muster/proto";
import type { EventSubject } from "../core/effects.ts";
import { Agent, Framework, Offer, Task } from "../core/model.ts";
import { agentRecord, frameworkRecord, offerRecord, taskRecord } from "../core/records.ts";
import { type FeedFilter, passes } from "./filter.ts";

/** Events that are kept for readers who resume. Beyond, they get a new snapshot. */
export const ringEventsMax = 131_072;

/**
 * The last events of this reign, numbered from 1 without a gap. All operations O(1).
 *
 * An event of a task is kept as the task and the status that it had: its record is made when somebody reads it, since
 * there may be a hundred thousand such events a second and nobody who watches. So are those of agents, frameworks and
 * offers; who reads late is told their newest figures at once.
 */
export class EventRing {
  /** Both grow up to the capacity, and are written over from then on. */
  readonly #subjects: (Task | EventSubject)[] = [];
  readonly #statuses: (TaskStatus | undefined)[] = [];
  readonly #capacity: number;
  #last = 0;

  constructor(capacity = ringEventsMax) {
    this.#capacity = capacity;
  }

  /** The number of the newest event; 0 if there has been none. */
  get last(): number {
    return this.#last;
  }

  /** The number of the oldest event that is still there. */
  get first(): number {
    return Math.max(1, this.#last - this.#capacity + 1);
  }

  append(subject: EventSubject): void {
    this.#put(subject, undefined);
  }

  /** `status` undefined: it is only launched. */
  appendTask(task: Task, status: TaskStatus | undefined): void {
    this.#put(task, status);
  }

  /** Undefined if it is not there yet, or not any more. */
  at(sequence: number): WatchEvent | undefined {
    const subject = this.#subjectAt(sequence);
    if (subject === undefined) return undefined;
    if (subject instanceof Agent) return { sequence, agent: agentRecord(subject) };
    if (subject instanceof Framework) return { sequence, framework: frameworkRecord(subject) };
    if (subject instanceof Offer) return { sequence, offer: offerRecord(subject) };
    if (!(subject instanceof Task)) return { sequence, ...subject };
    return {
      sequence,
      task: taskRecord(subject, this.#statuses[this.#placeOf(sequence)] ?? subject.stagingStatus()),
    };
  }

  kindAt(sequence: number): WatchKind {
    const subject = this.#subjectAt(sequence);
    if (subject instanceof Task) return 3;
    if (subject instanceof Offer) return 4;
    if (subject instanceof Agent) return 1;
    if (subject instanceof Framework) return 2;
    if (subject?.taskRemoved) return 3;
    if (subject?.offerEnded) return 4;
    if (subject?.frameworkRemoved !== undefined) return 2;
    if (subject?.role || subject?.roleRemoved !== undefined) return 5;
    if (subject?.operation) return 6;
    return 1;
  }

  passesAt(sequence: number, filter: FeedFilter): boolean {
    const subject = this.#subjectAt(sequence);
    return subject !== undefined && passes(filter, subject);
  }

  /** What an event is about: a later one about the same makes it superfluous. */
  subjectAt(sequence: number): string {
    const subject = this.#subjectAt(sequence);
    if (subject instanceof Task) return `task ${subject.group.framework.id} ${subject.id}`;
    if (subject instanceof Offer) return `offer ${subject.id}`;
    if (subject instanceof Agent) return `agent ${subject.id}`;
    if (subject instanceof Framework) return `framework ${subject.id}`;
    if (subject?.taskRemoved) return `task ${subject.taskRemoved.frameworkId} ${subject.taskRemoved.taskId}`;
    if (subject?.offerEnded) return `offer ${subject.offerEnded.offerId}`;
    if (subject?.agentRemoved !== undefined) return `agent ${subject.agentRemoved}`;
    if (subject?.frameworkRemoved !== undefined) return `framework ${subject.frameworkRemoved}`;
    if (subject?.role) return `role ${subject.role.role}`;
    if (subject?.roleRemoved !== undefined) return `role ${subject.roleRemoved}`;
    if (subject?.operation) return `operation ${subject.operation.operationId}`;
    return "awaited";
  }

  #put(subject: Task | EventSubject, status: TaskStatus | undefined): void {
    const place = this.#placeOf(++this.#last);
    this.#subjects[place] = subject;
    this.#statuses[place] = status;
  }

  #subjectAt(sequence: number): Task | EventSubject | undefined {
    if (sequence < this.first || sequence > this.#last) return undefined;
    return this.#subjects[this.#placeOf(sequence)];
  }

  #placeOf(sequence: number): number {
    return (sequence - 1) % this.#capacity;
  }
}
