// How many tasks a second one agent brings from the launch's arrival to RUNNING, for plain processes and, where the agent
// is root and has crun or runc, for containers with the host's programs. The agent and its master's end of the session are
// one process and speak gRPC; records are durable, shims and programs are real. Up to `inFlightMax` launches are on their
// way at once.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAgent, fingerprintHost, hostWorld } from "@muster/executors";
import {
  codecOf,
  emptyMessage,
  grpcTransport,
  silentLog as log,
  resources,
  serveGrpc,
  systemClock,
  systemRandom,
} from "@muster/foundation";
import { TaskState } from "@muster/proto";
import { pause } from "./dev-cluster.mjs";

const bars = { process: 150, exec: 40 };
const inFlightMax = 16;
const counts = { process: 300, exec: 120 };

export async function run(say) {
  const figures = [];
  for (const driver of ["process", "exec"]) {
    const folder = mkdtempSync(join(tmpdir(), "muster-bench-agent-"));
    try {
      const rate = await measure(folder, driver);
      if (rate === undefined) say(`launch-agent: driver ${driver} does not work here`);
      else
        figures.push({ label: `launches to RUNNING, ${driver}`, value: rate, unit: "/s", peer: `bar ${bars[driver]}` });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return figures;
}

async function measure(dataFolder, driver) {
  const { host, containers } = await new Promise((resolve) =>
    fingerprintHost({ dataFolder, ip: "127.0.0.1" }, resolve),
  );
  if (!host.drivers.includes(driver)) return undefined;
  const master = await startMaster();
  const transport = grpcTransport({});
  const agent = createAgent(
    {
      clock: systemClock,
      random: systemRandom,
      transport,
      log,
      ...hostWorld({ dataFolder, clock: systemClock, log, containers }),
    },
    { name: "bench", address: "127.0.0.1:5051", masters: [master.address], dataFolder, version: "bench", host },
  );
  try {
    agent.start();
    while (!master.isRegistered()) await pause(10);
    await launchAll(master, driver, inFlightMax, "warm");
    const began = performance.now();
    await launchAll(master, driver, counts[driver], "run");
    return (counts[driver] * 1_000) / (performance.now() - began);
  } finally {
    await new Promise((resolve) => agent.stop(resolve, "kill"));
    transport.close();
    await master.stop();
  }
}

async function launchAll(master, driver, count, prefix) {
  const before = master.runningCount();
  for (let launched = 0; master.runningCount() - before < count; ) {
    while (launched < count && launched - (master.runningCount() - before) < inFlightMax)
      master.launch(`${prefix}-${launched++}`, driver);
    await master.changed();
  }
}

/** The master's end of one agent's session. */
async function startMaster() {
  let outlet;
  let registered = false;
  let running = 0;
  let sequence = 0;
  let wake = () => {};
  const say = (fields) =>
    outlet.send({
      ...emptyMessage("ConnectResponse"),
      header: { epoch: 1, connection: 1, sequence: ++sequence },
      ...fields,
    });
  const receive = (message) => {
    if (message.tasksComplete) {
      registered = true;
      say({ registered: { clusterId: "bench", pingIntervalMs: 15_000 } });
    }
    for (const { state, message: text, frameworkId, taskId, updateId } of message.statuses) {
      if (state === TaskState.TASK_RUNNING) running++;
      else if (state === TaskState.TASK_FAILED || state === TaskState.TASK_ERROR) throw new Error(`${taskId}: ${text}`);
      say({ acknowledgements: [{ frameworkId, taskId, updateId }] });
    }
    wake();
  };
  const connect = (opened) => {
    outlet = opened;
    return { receive, drained: () => {}, closed: () => {} };
  };
  const server = await new Promise((resolve, reject) => {
    const made = serveGrpc(
      { "Agents.Connect": connect },
      {
        address: "127.0.0.1:0",
        log,
        listening: (result) => (result instanceof Error ? reject(result) : resolve({ made, address: result.address })),
      },
    );
  });
  return {
    address: server.address,
    isRegistered: () => registered,
    runningCount: () => running,
    changed: () =>
      new Promise((resolve) => {
        wake = resolve;
      }),
    launch: (taskId, driver) => {
      const spec = { ...emptyMessage("TaskSpec"), driver, command: "sleep", arguments: ["1000"] };
      const task = {
        ...emptyMessage("TaskInfo"),
        taskId,
        name: taskId,
        resources: resources({ cpuMillis: 10, memoryMiB: 32 }),
        spec: codecOf("TaskSpec").encode(spec),
      };
      const group = { launchId: taskId, networkMode: "", network: null, ports: [], tasks: [task] };
      say({ launches: [{ frameworkId: "bench", frameworkName: "bench", role: "bench", group }] });
    },
    stop: () => new Promise((resolve) => server.made.close(resolve)),
  };
}
