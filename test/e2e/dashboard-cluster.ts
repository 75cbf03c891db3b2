import {
  emptyMessage,
  type GrpcServer,
  grpcTransport,
  memoryStore,
  memoryStoreData,
  type Outlet,
  resources,
  serveGrpc,
  silentLog,
  systemClock,
  systemRandom,
} from "@muster/foundation";
import { createMetrics } from "@muster/foundation/metrics";
import { createMaster, defaultMasterConfig, type Master } from "@muster/master";
import {
  type ConnectRequest,
  type ConnectResponse,
  Health,
  type SubscribeRequest,
  type SubscribeResponse,
  type TaskInfo,
  TaskState,
} from "@muster/proto";

/** A master on a store that outlives it, served over gRPC, with one agent and one framework that speak to it by the wire. */
export class Cluster {
  readonly #data = memoryStoreData();
  readonly #transport = grpcTransport();
  #master: Master | undefined;
  #server: GrpcServer | undefined;
  #agent: Outlet<ConnectRequest> | undefined;

  /** Starts a master; gives back its address once it leads. */
  startMaster(address: string): Promise<string> {
    return new Promise((resolve, reject) => {
      let listening = "";
      let leads = false;
      const ready = (): void => {
        if (leads && listening !== "") resolve(listening);
      };
      this.#master = createMaster(
        {
          clock: systemClock,
          random: systemRandom,
          store: memoryStore(systemClock, this.#data),
          transport: this.#transport,
          log: silentLog,
          metrics: createMetrics(`muster_${this.#data.epoch}_`),
          elected: () => {
            leads = true;
            ready();
          },
          failed: reject,
        },
        defaultMasterConfig,
      );
      this.#server = serveGrpc(this.#master.handlers, {
        address,
        log: silentLog,
        listening: (result) => {
          if (result instanceof Error) reject(result);
          else listening = result.address;
          ready();
        },
      });
      this.#master.start();
    });
  }

  /** Cuts every connection first, as a death would: nobody is told anything. */
  stopMaster(): Promise<void> {
    return new Promise((done) => {
      this.#server?.close(() => {
        if (this.#master) this.#master.stop(done);
        else done();
      });
    });
  }

  /** Registers an agent that reports what it is told to launch as running and healthy. */
  startAgent(masterAddress: string): void {
    const agent = this.#transport.open("Agents.Connect", masterAddress, {
      receive: (message: ConnectResponse) => {
        for (const { frameworkId, group } of message.launches) {
          for (const task of group?.tasks ?? []) this.#report(agent, frameworkId, group?.launchId ?? "", task);
        }
      },
      drained: () => {},
      closed: () => {},
    });
    this.#agent = agent;
    agent.send({
      ...emptyMessage("ConnectRequest"),
      registration: {
        ...emptyMessage("Registration"),
        agentId: "agent-1",
        name: "a1",
        address: "127.0.0.1:5051",
        ip: "127.0.0.1",
        resources: resources({ cpuMillis: 4_000, memoryMiB: 8_192, diskMiB: 10_000, portCount: 100 }),
        dynamicPortFirst: 20_000,
        dynamicPortLast: 20_099,
      },
    });
    agent.send({ ...emptyMessage("ConnectRequest"), tasksComplete: true });
  }

  #report(agent: Outlet<ConnectRequest>, frameworkId: string, launchId: string, { taskId }: TaskInfo): void {
    const status = { ...emptyMessage("TaskStatus"), taskId, launchId, frameworkId, agentId: "agent-1", at: Date.now() };
    const ports = [{ label: "http", number: 20_007, to: 20_007, protocol: "", ip: "127.0.0.1" }];
    const container = { ...emptyMessage("ContainerStatus"), pid: 1, ports };
    const states = [TaskState.TASK_STARTING, TaskState.TASK_RUNNING];
    const statuses = states.map((state, index) => ({
      ...status,
      state,
      container,
      health: Health.HEALTH_HEALTHY,
      source: 2 as const,
      sequence: index + 1,
      updateId: `${taskId}-${index + 1}`,
    }));
    agent.send({ ...emptyMessage("ConnectRequest"), statuses });
  }

  /** Subscribes a framework that launches one task on the first offer. */
  launch(masterAddress: string, task: Partial<TaskInfo> & { taskId: string }): void {
    let launched = false;
    const framework: Outlet<SubscribeRequest> = this.#transport.open("Scheduling.Subscribe", masterAddress, {
      receive: ({ offers }: SubscribeResponse) => {
        const [offer] = offers;
        if (offer === undefined || launched) return;
        launched = true;
        const info = {
          ...emptyMessage("TaskInfo"),
          name: task.taskId,
          resources: resources({ cpuMillis: 500, memoryMiB: 256 }),
          spec: Buffer.from("spec"),
          ...task,
        };
        const group = { ...emptyMessage("TaskGroup"), launchId: `launch-${task.taskId}`, tasks: [info] };
        const operations = [{ operationId: "", launch: { groups: [group] }, kind: "launch" as const }];
        framework.send({
          ...emptyMessage("SubscribeRequest"),
          accepts: [{ offerIds: [offer.offerId], operations, filters: null }],
        });
      },
      drained: () => {},
      closed: () => {},
    });
    const info = { ...emptyMessage("FrameworkInfo"), name: "services", roles: ["web"] };
    framework.send({
      ...emptyMessage("SubscribeRequest"),
      subscription: { framework: info, frameworkId: "", suppressedRoles: [], epochSeen: 0 },
    });
  }

  async close(): Promise<void> {
    this.#agent?.end();
    await this.stopMaster();
    this.#transport.close();
  }
}
