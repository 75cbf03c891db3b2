// A master behind real gRPC whose agents live in its own process: they register through its handlers, so that a cluster
// of any size is there in seconds and what is measured is the master and not twenty thousand sockets.
import {
  emptyMessage,
  grpcTransport,
  memoryStore,
  memoryStoreData,
  resources,
  serveGrpc,
  silentLog,
  systemClock,
  systemRandom,
} from "@muster/foundation";
import { createMetrics } from "@muster/foundation/metrics";
import { createMaster, defaultMasterConfig } from "@muster/master";
import { TaskState } from "@muster/proto";

const [agentCount, tasksPerAgent] = process.argv.slice(2).map(Number);
const clock = systemClock;
const transport = grpcTransport();
const master = createMaster(
  {
    clock,
    random: systemRandom,
    store: memoryStore(clock, memoryStoreData()),
    transport,
    log: silentLog,
    metrics: createMetrics("bench_"),
    failed: (error) => {
      throw error;
    },
  },
  defaultMasterConfig,
);

serveGrpc(master.handlers, {
  address: "127.0.0.1:0",
  log: silentLog,
  listening: (result) => {
    if (result instanceof Error) throw result;
    master.start();
    fill(0, result.address);
  },
});

/** A few agents in each turn of the loop: a cluster does not come at one moment. */
function fill(from, address) {
  if (master.state === undefined) return void setTimeout(() => fill(from, address), 5);
  if (from < agentCount) {
    for (let index = from; index < Math.min(from + 200, agentCount); index++) addAgent(index);
    return void setImmediate(() => fill(from + 200, address));
  }
  const registered = [...master.state.agents.values()].filter(({ state }) => state === "registered").length;
  if (registered < agentCount) return void setTimeout(() => fill(from, address), 20);
  // The records of so many new agents go into the feed once; that is not what is to be measured.
  return void setTimeout(() => process.send({ address }), 1_000);
}

function addAgent(index) {
  const agentId = `agent-${index}`;
  const inlet = master.handlers["Agents.Connect"](
    { send: ({ launches }) => void (launches.length > 0 && perform(launches)), ready: () => true, end: () => {} },
    { address: "bench", principal: "local" },
  );
  // What is launched runs at once and ends as soon as that is told.
  const perform = (launches) => {
    const statuses = launches.flatMap((launch) =>
      launch.group.tasks.flatMap((task) => statusesOf(agentId, launch, task)),
    );
    setImmediate(() => inlet.receive({ ...emptyMessage("ConnectRequest"), statuses }));
  };
  const registration = {
    ...emptyMessage("Registration"),
    agentId,
    name: `host-${index}`,
    address: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}:5051`,
    ip: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
    resources: resources({ cpuMillis: 32_000, memoryMiB: 65_536, diskMiB: 100_000, portCount: 1_000 }),
    attributes: ["rack", "zone", "kernel.name", "cpu.arch"].map((name) => ({ name, value: `${name}-${index % 40}` })),
    dynamicPortFirst: 20_000,
    dynamicPortLast: 20_999,
  };
  inlet.receive({ ...emptyMessage("ConnectRequest"), registration });
  const tasks = Array.from({ length: tasksPerAgent }, (_, number) => reportOf(agentId, `${index}-${number}`));
  inlet.receive({ ...emptyMessage("ConnectRequest"), tasks, tasksComplete: true });
}

function statusesOf(agentId, { frameworkId, group }, { taskId }) {
  return [TaskState.TASK_RUNNING, TaskState.TASK_FINISHED].map((state, index) => ({
    ...emptyMessage("TaskStatus"),
    taskId,
    launchId: group.launchId,
    frameworkId,
    agentId,
    state,
    source: 2,
    sequence: index + 1,
    updateId: `${taskId}-${index + 1}`,
  }));
}

function reportOf(agentId, id) {
  const status = {
    ...emptyMessage("TaskStatus"),
    taskId: `t-${id}`,
    launchId: `l-${id}`,
    frameworkId: "framework-bench",
    agentId,
    state: TaskState.TASK_RUNNING,
    source: 2,
    sequence: 2,
    updateId: `t-${id}-2`,
  };
  return {
    ...emptyMessage("TaskReport"),
    frameworkId: "framework-bench",
    frameworkName: "bench",
    role: "bench",
    launchId: `l-${id}`,
    task: {
      ...emptyMessage("TaskInfo"),
      taskId: `t-${id}`,
      name: "web",
      resources: resources({ cpuMillis: 100, memoryMiB: 128 }),
      discovery: { endpoints: [{ name: "web", portLabel: "http", protocol: "tcp", tags: [] }] },
      labels: { job: "web", group: "web" },
    },
    status,
    acknowledged: true,
  };
}

process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send({ cpuMs: (user + system) / 1_000 });
});
process.on("disconnect", () => process.exit(0));
