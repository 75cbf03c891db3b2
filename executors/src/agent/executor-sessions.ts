import {
  batchShape,
  codecOf,
  emptyMessage,
  invalid,
  MusterError,
  Outbox,
  type StreamHandler,
} from "@muster/foundation";
import type { AttachRequest, AttachResponse, ExecutorSubscription, TaskGroup } from "@muster/proto";
import type { ExecutorOrder, ExecutorRefusal } from "./core/executor-model.ts";
import type { Group } from "./core/model.ts";
import type { AgentLoop } from "./loop.ts";

/** Bytes of one message between an executor and its framework. */
export const executorMessageBytesMax = 64 * 1024;
/** Messages, and updates of tasks, in one message of an executor. */
export const executorItemsMax = 4_096;
/** Characters of an id that an executor names. */
const idLengthMax = 255;
/** With more than this waiting for an executor, messages of its framework are dropped. */
const messagesQueuedBytesMax = 1024 * 1024;
/** Sessions of executors at once, attached or not. */
export const executorSessionsMax = 1_024;

const shape = batchShape<AttachResponse>(
  ["launches", "kills", "acknowledgedUpdateIds", "messages", "shutdown", "attached", "refusedUpdates"],
  () => emptyMessage("AttachResponse"),
);

/** The agent's side of `Executors.Attach`: sessions become inputs of the loop, its orders become messages. */
export class ExecutorSessions {
  readonly #loop: () => AgentLoop | undefined;
  readonly #agentName: string;
  readonly #outboxes = new Map<number, Outbox<AttachResponse>>();
  #count = 0;

  constructor(loop: () => AgentLoop | undefined, agentName: string) {
    this.#loop = loop;
    this.#agentName = agentName;
  }

  readonly handler: StreamHandler<"Executors.Attach"> = (outlet) => {
    const session = ++this.#count;
    let isOpen = false;
    const outbox = new Outbox(outlet, shape);
    if (this.#outboxes.size >= executorSessionsMax)
      outbox.end(new MusterError("too-many", `at most ${executorSessionsMax} sessions of executors`));
    else this.#outboxes.set(session, outbox);
    const fail = (error: MusterError): void => {
      this.#detach(session);
      outbox.end(error);
    };
    return {
      receive: (message) => {
        const loop = this.#loop();
        if (!this.#outboxes.has(session)) return;
        const fault = faultOf(message, isOpen);
        if (fault) fail(fault);
        else if (!loop) fail(new MusterError("unavailable", "the agent is beginning", { retryAfterMs: 1_000 }));
        else if (isOpen) {
          const { statuses, messages } = message;
          loop.post({ type: "executor-said", session, statuses, messages });
        } else {
          isOpen = true;
          const attachment = message.subscription as ExecutorSubscription;
          loop.post({ type: "executor-attached", session, attachment });
        }
      },
      drained: () => outbox.drained(),
      closed: () => this.#detach(session),
    };
  };

  send(session: number, order: ExecutorOrder): void {
    const outbox = this.#outboxes.get(session);
    if (!outbox) return;
    switch (order.type) {
      case "attached": {
        const agentId = this.#loop()?.state.config.agentId ?? "";
        outbox.add("attached", { agentId, agentName: this.#agentName });
        return;
      }
      case "launch": {
        const group = groupToWire(order.group);
        const bytes = group.tasks.reduce((sum, { spec }) => sum + 200 + spec.length, 100);
        outbox.add("launches", group, bytes);
        return;
      }
      case "kill":
        outbox.add("kills", { taskId: order.taskId, graceMs: order.graceMs });
        return;
      case "acknowledge":
        outbox.add("acknowledgedUpdateIds", order.updateId, 40);
        return;
      case "refuse":
        outbox.add("refusedUpdates", { updateId: order.updateId, refusal: { ...order.refusal, retryAfterMs: 0 } });
        return;
      case "message":
        if (outbox.queuedBytes <= messagesQueuedBytesMax)
          outbox.add("messages", Buffer.from(order.data), order.data.length + 16);
        return;
      case "shutdown":
        outbox.add("shutdown", true);
        return;
    }
  }

  end(session: number, { kind, message, field }: ExecutorRefusal): void {
    const outbox = this.#outboxes.get(session);
    if (!outbox) return;
    this.#outboxes.delete(session);
    outbox.flush();
    outbox.end(new MusterError(kind, field === "" ? message : `${field}: ${message}`, { field }));
  }

  flush(): void {
    for (const outbox of this.#outboxes.values()) outbox.flush();
  }

  /** The agent goes. Its executors wait for the next one. */
  stop(): void {
    for (const outbox of this.#outboxes.values()) outbox.end(new MusterError("unavailable", "the agent has ended"));
    this.#outboxes.clear();
  }

  #detach(session: number): void {
    if (this.#outboxes.delete(session)) this.#loop()?.post({ type: "executor-detached", session });
  }
}

/** What is wrong with the shape of a message of an executor. What it means is the core's to judge. */
function faultOf(message: AttachRequest, isOpen: boolean): MusterError | undefined {
  const { subscription, statuses, messages } = message;
  if (isOpen && subscription) return invalid("subscription", "is for the first message alone");
  if (!isOpen) {
    if (!subscription) return invalid("subscription", "must be in the first message");
    if (statuses.length > 0) return invalid("statuses", "of earlier sessions stand in subscription.unacknowledged");
    if (subscription.taskIds.length > executorItemsMax)
      return invalid("subscription.task_ids", `must be at most ${executorItemsMax}`);
  }
  const all = subscription?.unacknowledged ?? statuses;
  const field = subscription ? "subscription.unacknowledged" : "statuses";
  if (all.length > executorItemsMax) return invalid(field, `must be at most ${executorItemsMax}`);
  const nameless = all.findIndex(({ updateId }) => updateId === "" || updateId.length > idLengthMax);
  if (nameless >= 0) return invalid(`${field}[${nameless}].update_id`, `must have 1 to ${idLengthMax} characters`);
  if (messages.length > executorItemsMax) return invalid("messages", `must be at most ${executorItemsMax}`);
  const long = messages.findIndex(({ length }) => length > executorMessageBytesMax);
  return long < 0 ? undefined : invalid(`messages[${long}]`, `must have at most ${executorMessageBytesMax} bytes`);
}

/** A group as its executor gets it: whole, with the numbers of its ports. */
function groupToWire(group: Group): TaskGroup {
  const specs = codecOf("TaskSpec");
  return {
    ...emptyMessage("TaskGroup"),
    launchId: group.launchId,
    tasks: group.tasks.map(({ info, spec }) => ({ ...info, spec: specs.encode(spec) })),
    ports: group.ports.map((port) => {
      const assigned = group.assigned.find(({ label }) => label === port.label);
      return assigned ? { ...port, number: assigned.number, to: assigned.to } : { ...port };
    }),
  };
}
