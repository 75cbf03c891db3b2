// Simulated agents that register when they are told to, with tasks from their second registration on.
// Arguments: address of the master, number of the first, how many, tasks of each.
import { emptyMessage, grpcTransport, resources } from "@muster/foundation";
import { TaskState } from "@muster/proto";
import { streamsPerConnection } from "../processes.mjs";

const [address = "", firstText = "0", countText = "1", tasksText = "10"] = process.argv.slice(2);
const first = Number(firstText);
const count = Number(countText);
const tasksPerAgent = Number(tasksText);
/** Streams that are opened in one turn of the loop. */
const streamsPerTurn = 50;
let transports = [];
let registered = 0;
let round = 0;

function connectAll() {
  for (const transport of transports) transport.close();
  transports = Array.from({ length: Math.ceil(count / streamsPerConnection) }, () => grpcTransport());
  registered = 0;
  round++;
  const some = (from) => {
    for (let index = from; index < Math.min(count, from + streamsPerTurn); index++)
      connect(first + index, index, round);
    if (from + streamsPerTurn < count) setImmediate(() => some(from + streamsPerTurn));
  };
  some(0);
}

function connect(number, index, ofRound) {
  const agentId = `bench-${number}`;
  let said = false;
  const outlet = transports[index % transports.length].open("Agents.Connect", address, {
    receive(message) {
      if (message.registered && ofRound === round) registered++;
      if (message.ping)
        outlet.send({ ...emptyMessage("ConnectRequest"), pong: { pingNumber: message.ping.pingNumber } });
    },
    drained() {},
    closed(error) {
      if (said || ofRound !== round) return;
      said = true;
      // Its master was killed; or this one is not there yet: an agent tries again.
      if (registered < count) setTimeout(() => ofRound === round && connect(number, index, ofRound), 200);
      if (process.env.MUSTER_BENCH_DEBUG) process.stderr.write(`agent ${number}: ${error?.message ?? "closed"}\n`);
    },
  });
  const tasks = round === 1 ? [] : Array.from({ length: tasksPerAgent }, (_, task) => reportOf(agentId, number, task));
  outlet.send({
    ...emptyMessage("ConnectRequest"),
    registration: registrationOf(agentId, number),
    tasks,
    tasksComplete: true,
  });
}

function registrationOf(agentId, number) {
  return {
    ...emptyMessage("Registration"),
    agentId,
    name: agentId,
    address: `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}:5051`,
    ip: `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`,
    resources: resources({ cpuMillis: 32_000, memoryMiB: 65_536, diskMiB: 100_000, portCount: 1_000 }),
    attributes: ["rack", "zone", "kernel.name", "cpu.arch"].map((name) => ({ name, value: `${name}-${number % 40}` })),
    dynamicPortFirst: 20_000,
    dynamicPortLast: 20_999,
    version: "bench",
    bootId: "bench",
  };
}

function reportOf(agentId, number, task) {
  const taskId = `web.web.${number}-${task}`;
  const launchId = `l-${taskId}`;
  const frameworkId = `framework-bench-${task % 5}`;
  return {
    ...emptyMessage("TaskReport"),
    frameworkId,
    frameworkName: `bench-${task % 5}`,
    role: "bench",
    launchId,
    task: {
      ...emptyMessage("TaskInfo"),
      taskId,
      name: "web",
      resources: resources({ cpuMillis: 100, memoryMiB: 128 }),
      discovery: { endpoints: [{ name: "web", portLabel: "http", protocol: "tcp", tags: [] }] },
      labels: { job: "web", group: "web" },
    },
    status: {
      ...emptyMessage("TaskStatus"),
      taskId,
      launchId,
      frameworkId,
      agentId,
      state: TaskState.TASK_RUNNING,
      source: 2,
      sequence: 2,
      updateId: `${taskId}-2`,
      at: Date.now(),
    },
    acknowledged: true,
  };
}

process.on("message", (what) => {
  if (what === "connect") connectAll();
  process.send({ registered });
});
process.on("disconnect", () => process.exit(0));
