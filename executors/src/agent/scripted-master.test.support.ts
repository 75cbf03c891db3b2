import {
  codecOf,
  emptyMessage,
  type GrpcServer,
  type Outlet,
  resources,
  serveGrpc,
  silentLog,
} from "@muster/foundation";
import { freePort } from "@muster/foundation/free-port";
import type {
  CatalogEntry,
  CatalogFollowResponse,
  CatalogSubject,
  ConnectRequest,
  ConnectResponse,
  ExecutorInfo,
  FurtherNetwork,
  GroupNetwork,
  GroupVolume,
  PortRequest,
  ReservedPart,
  Resources,
  TaskGroup,
  TaskReport,
  TaskSpec,
  TaskStatus,
} from "@muster/proto";
import { emptySpec } from "./empty.ts";

export interface LaunchWish {
  taskId: string;
  /** Default: the task's id. */
  name?: string;
  predecessorLaunchId?: string;
  /** Whose files it takes over elsewhere, and who is given its own. */
  files?: Pick<TaskGroup, "predecessorAddress" | "predecessorToken" | "filesToken">;
  launchId?: string;
  spec?: Partial<TaskSpec>;
  ports?: Partial<PortRequest>[];
  networkMode?: string;
  network?: GroupNetwork;
  moreNetworks?: readonly FurtherNetwork[];
  /** More tasks of the same group. */
  others?: readonly { taskId: string; name?: string; spec: Partial<TaskSpec> }[];
  resources?: Partial<Resources>;
  /** What the group has to do with a custom executor. */
  executor?: Partial<ExecutorInfo>;
  isExecutor?: boolean;
  volumes?: readonly GroupVolume[];
  reserved?: readonly ReservedPart[];
}

/** The master's end of an agent's session, over real gRPC: says what a test tells it to, keeps what it hears. */
export class ScriptedMaster {
  readonly statuses: TaskStatus[] = [];
  readonly reports: TaskReport[] = [];
  readonly requests: ConnectRequest[] = [];
  /** What the agent follows in the catalog; undefined: it has no stream there. */
  followed: readonly CatalogSubject[] | undefined;
  acknowledges = true;
  epoch = 1;
  address = "";
  sessions = 0;
  registrations = 0;
  #server: GrpcServer | undefined;
  #outlet: Outlet<ConnectResponse> | undefined;
  #catalog: Outlet<CatalogFollowResponse> | undefined;
  #sequence = 0;
  #watchers = new Set<() => void>();

  /** Where it can be stopped and started again, unless an address is given. */
  async start(address?: string): Promise<void> {
    const place = address ?? `127.0.0.1:${await freePort()}`;
    return new Promise((resolve, reject) => {
      this.#server = serveGrpc(
        {
          "Agents.Connect": (outlet) => {
            this.#outlet = outlet;
            this.sessions++;
            return {
              receive: (message) => this.#receive(message),
              drained: () => {},
              closed: () => {
                if (this.#outlet === outlet) this.#outlet = undefined;
              },
            };
          },
          "Catalog.Follow": (outlet) => {
            this.#catalog = outlet;
            return {
              receive: ({ subjects }) => {
                this.followed = subjects;
                this.#look();
              },
              drained: () => {},
              closed: () => {
                if (this.#catalog !== outlet) return;
                this.#catalog = undefined;
                this.followed = undefined;
                this.#look();
              },
            };
          },
        },
        {
          address: place,
          log: silentLog,
          listening: (result) => {
            if (result instanceof Error) reject(result);
            else {
              this.address = result.address;
              resolve();
            }
          },
        },
      );
    });
  }

  stop(): Promise<void> {
    return new Promise((resolve) => (this.#server ? this.#server.close(resolve) : resolve()));
  }

  /** Breaks the agent's session; it comes back by itself. */
  hangUp(): void {
    this.#outlet?.end();
  }

  say(fields: Partial<ConnectResponse>): void {
    const header = { epoch: this.epoch, connection: this.sessions, sequence: ++this.#sequence };
    this.#outlet?.send({ ...emptyMessage("ConnectResponse"), header, ...fields });
  }

  launch(...wishes: LaunchWish[]): void {
    this.say({
      launches: wishes.map(
        ({
          taskId,
          launchId = `launch-${taskId}`,
          spec = {},
          ports = [],
          networkMode = "",
          network = null,
          moreNetworks = [],
          others = [],
          resources: amounts,
          executor,
          isExecutor = false,
          volumes = [],
          reserved = [],
          name = taskId,
          predecessorLaunchId,
          files = {},
        }) => ({
          frameworkId: "framework-1",
          frameworkName: "services",
          role: "web",
          reserved: reserved.map((each) => ({ ...each })),
          group: {
            launchId,
            networkMode,
            network,
            moreNetworks: moreNetworks.map((each) => ({ ...each })),
            volumes: volumes.map((each) => ({ ...each })),
            executor: executor ? { ...emptyMessage("ExecutorInfo"), ...executor } : null,
            isExecutor,
            ...(predecessorLaunchId === undefined ? {} : { predecessorLaunchId }),
            ...files,
            ports: ports.map((port) => ({ ...emptyMessage("PortRequest"), ...port })),
            tasks: [{ taskId, name, spec }, ...others.map((one) => ({ name: one.taskId, ...one }))].map((task) => ({
              ...emptyMessage("TaskInfo"),
              taskId: task.taskId,
              name: task.name,
              resources: amounts ? resources(amounts) : null,
              spec: codecOf("TaskSpec").encode({ ...emptySpec(), ...task.spec }),
            })),
          },
        }),
      ),
    });
  }

  /** Tells what stands under names of the catalog. */
  tell(entries: readonly (Partial<CatalogEntry> & { readonly subject: CatalogSubject })[], inDoubt = false): void {
    const whole = entries.map((entry) => ({ instances: [], services: [], keys: [], refusal: "", ...entry }));
    this.#catalog?.send({ epoch: this.epoch, inDoubt, entries: whole });
  }

  kill(taskId: string, graceMs?: number): void {
    const kill = { ...emptyMessage("KillTask"), frameworkId: "framework-1", taskId };
    this.say({ kills: [graceMs === undefined ? kill : { ...kill, graceMs }] });
  }

  acknowledge(status: TaskStatus): void {
    const { frameworkId, taskId, updateId } = status;
    this.say({ acknowledgements: [{ frameworkId, taskId, updateId }] });
  }

  of(taskId: string): TaskStatus[] {
    return this.statuses.filter((status) => status.taskId === taskId);
  }

  /** Waits for something to be true of what was heard. */
  until(condition: () => boolean, what: string, timeoutMs = 10_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!condition()) return;
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#watchers.delete(look);
        reject(new Error(`${what}: not within ${timeoutMs} ms; heard ${JSON.stringify(this.statuses)}`));
      }, timeoutMs);
      this.#watchers.add(look);
      look();
    });
  }

  untilState(taskId: string, state: number): Promise<void> {
    return this.until(() => this.of(taskId).some((status) => status.state === state), `${taskId} in state ${state}`);
  }

  #receive(message: ConnectRequest): void {
    this.requests.push(message);
    this.reports.push(...message.tasks);
    if (message.tasksComplete) {
      this.registrations++;
      this.say({ registered: { clusterId: "test", pingIntervalMs: 15_000 } });
    }
    for (const status of message.statuses) {
      this.statuses.push(status);
      if (this.acknowledges) this.acknowledge(status);
    }
    // As a master does it: the agent need not wait any longer for it to be heard.
    if (message.leaving) this.hangUp();
    this.#look();
  }

  #look(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}
