import { emptyMessage, type GrpcServer, type Outlet, resources, serveGrpc, silentLog } from "@muster/foundation";
import {
  type AgentRecord,
  type EventsResponse,
  Health,
  type TaskRecord,
  TaskState,
  type WatchEvent,
} from "@muster/proto";

/** Serves `Watch.Events` over gRPC from records that a test gives it: a snapshot, changes, and places to resume from. */
export class WatchSource {
  readonly #records = new Map<string, Partial<WatchEvent>>();
  readonly #log: WatchEvent[] = [];
  readonly #readers = new Set<Outlet<EventsResponse>>();
  readonly #epoch: number;
  #sequence = 0;
  #server: GrpcServer | undefined;
  /** Places from which readers asked to go on. */
  readonly asked: { epoch: number; sequence: number }[] = [];
  /** Readers that have left. */
  left = 0;

  constructor(epoch: number) {
    this.#epoch = epoch;
  }

  get readerCount(): number {
    return this.#readers.size;
  }

  listen(address: string, listening: (address: string) => void, failed: (error: Error) => void): void {
    this.#server = serveGrpc(
      {
        "Watch.Events": (request, outlet) => {
          this.asked.push({ epoch: request.epoch, sequence: request.sequence });
          if (request.epoch === this.#epoch) {
            const missed = this.#log.filter(({ sequence }) => sequence > request.sequence);
            outlet.send({ ...this.#message(), events: missed });
          } else {
            const events = [...this.#records.values()].map((record) => ({ ...emptyMessage("WatchEvent"), ...record }));
            // In two parts, as a large one would come.
            const half = Math.ceil(events.length / 2);
            outlet.send({ ...this.#message(), snapshot: true, events: events.slice(0, half) });
            outlet.send({ ...this.#message(), snapshot: true, snapshotComplete: true, events: events.slice(half) });
          }
          this.#readers.add(outlet);
          return {
            receive: () => {},
            drained: () => {},
            closed: () => {
              this.left += 1;
              this.#readers.delete(outlet);
            },
          };
        },
        "Operator.GetMaster": (request, _peer, respond) => {
          respond({ ok: true, value: { ...emptyMessage("GetMasterResponse"), clusterId: "test", epoch: this.#epoch } });
          return void request;
        },
      },
      {
        address,
        log: silentLog,
        listening: (result) => (result instanceof Error ? failed(result) : listening(result.address)),
      },
    );
  }

  /** Changes a record and tells every reader. `key` names it; a record of undefined is only told, not kept. */
  tell(key: string, event: Partial<WatchEvent>, keep = true): void {
    this.#sequence += 1;
    const whole = { ...emptyMessage("WatchEvent"), ...event, sequence: this.#sequence };
    if (keep) this.#records.set(key, event);
    else this.#records.delete(key);
    this.#log.push(whole);
    for (const reader of this.#readers) reader.send({ ...this.#message(), events: [whole] });
  }

  close(done: () => void): void {
    if (this.#server === undefined) done();
    else this.#server.close(done);
  }

  #message(): EventsResponse {
    return {
      ...emptyMessage("EventsResponse"),
      epoch: this.#epoch,
      sequence: this.#sequence,
      clusterId: "c-lantern",
      snapshot: false,
      snapshotComplete: false,
      events: [],
    };
  }
}

export function anAgent(name: string, more: Partial<AgentRecord> = {}): AgentRecord {
  return {
    ...emptyMessage("AgentRecord"),
    agentId: `agent-${name}`,
    name,
    address: "127.0.0.1:5051",
    ip: "127.0.0.1",
    state: 1,
    total: resources({ cpuMillis: 4000, memoryMiB: 8192, diskMiB: 40_960, portCount: 1000 }),
    allocated: resources({ cpuMillis: 1500, memoryMiB: 2048, diskMiB: 1024, portCount: 3 }),
    offered: resources({ cpuMillis: 1000, memoryMiB: 1024, diskMiB: 512, portCount: 0 }),
    taskCount: 3,
    ...more,
  };
}

export function aTask(
  taskId: string,
  more: Partial<TaskRecord> = {},
  status: Partial<NonNullable<TaskRecord["status"]>> = {},
): TaskRecord {
  return {
    ...emptyMessage("TaskRecord"),
    taskId,
    name: taskId.split(".")[0] ?? taskId,
    frameworkId: "framework-services",
    frameworkName: "services",
    agentId: "agent-a1",
    agentName: "a1",
    agentIp: "127.0.0.1",
    launchId: `launch-${taskId}`,
    role: "*",
    resources: resources({ cpuMillis: 100, memoryMiB: 64, diskMiB: 0 }),
    status: {
      ...emptyMessage("TaskStatus"),
      taskId,
      state: TaskState.TASK_RUNNING,
      health: Health.HEALTH_HEALTHY,
      at: Date.now(),
      container: {
        ...emptyMessage("ContainerStatus"),
        pid: 4242,
        ports: [{ label: "http", number: 20_123, to: 20_123, protocol: "tcp", ip: "127.0.0.1" }],
      },
      ...status,
    },
    ...more,
  };
}
