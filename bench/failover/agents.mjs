// Simulated agents that register when they are told to, with tasks from their second registration on.
// Arguments: address of the master, number of the first, how many, tasks of each.
import { codecOf, emptyMessage, methodDefinition, resources } from "@muster/foundation";
import { TaskState } from "@muster/proto";
import { streamsPerConnection } from "../processes.mjs";
import { messageOf, openStreams } from "./streams.mjs";

const [address = "", firstText = "0", countText = "1", tasksText = "10"] = process.argv.slice(2);
const first = Number(firstText);
const count = Number(countText);
const tasksPerAgent = Number(tasksText);
/** An agent whose stream was refused, or whose master is not there yet, tries again after so long. */
const retryMs = 200;
const up = codecOf("ConnectRequest");
const down = codecOf("ConnectResponse");
const { path } = methodDefinition("Agents.Connect");
const connectionCount = Math.ceil(count / streamsPerConnection);
/** What each agent says first. Each has a processor of its own in a cluster: here it is made before time is taken. */
let messages = [];
let registered = 0;
let refused = 0;

function prepare(withTasks) {
  messages = Array.from({ length: count }, (_, index) => firstMessage(first + index, withTasks));
}

/** The agents of one connection, which is made anew whenever it is over. */
function keepConnected(number) {
  let isOpen = true;
  let registeredHere = 0;
  const open = (index) => isOpen && streams.open(index, messages[index]);
  const streams = openStreams(address, path, {
    ready: () => {
      for (let index = number; index < count; index += connectionCount) open(index);
    },
    message: (index, bytes) => {
      const message = down.decode(bytes);
      if (message.registered) {
        registered++;
        registeredHere++;
      }
      if (message.ping) streams.send(index, requestOf({ pong: { pingNumber: message.ping.pingNumber } }));
    },
    ended: (index) => {
      refused++;
      setTimeout(open, retryMs, index);
    },
    closed: () => {
      isOpen = false;
      registered -= registeredHere;
      setTimeout(keepConnected, retryMs, number);
    },
  });
}

function firstMessage(number, withTasks) {
  const agentId = `bench-${number}`;
  return requestOf({
    registration: registrationOf(agentId, number),
    tasks: withTasks ? Array.from({ length: tasksPerAgent }, (_, task) => reportOf(agentId, number, task)) : [],
    tasksComplete: true,
  });
}

function requestOf(fields) {
  return messageOf(up.encode({ ...emptyMessage("ConnectRequest"), ...fields }));
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
  if (what === "connect") {
    prepare(false);
    for (let number = 0; number < connectionCount; number++) keepConnected(number);
  }
  if (what === "run-tasks") {
    prepare(true);
    refused = 0;
  }
  const { user, system } = process.cpuUsage();
  process.send({ registered, refused, cpuSeconds: (user + system) / 1e6 });
});
process.on("disconnect", () => process.exit(0));
