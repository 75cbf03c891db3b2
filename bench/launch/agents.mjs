// A thousand simulated agents over real gRPC: they take launches and answer each task with one RUNNING status, and each
// that is to end with one KILLED.
// Arguments: address of the master, number of agents, tasks that each has room for.
import { emptyMessage, grpcTransport, systemClock } from "@muster/foundation";
import { TaskState } from "@muster/proto";
import { streamsPerConnection } from "../processes.mjs";

const [address = "", countText = "1000", roomText = "310"] = process.argv.slice(2);
const count = Number(countText);
const room = Number(roomText);
/** Streams share a few connections: a client's side of a connection costs more than what is measured. */
const transports = Array.from({ length: Math.max(4, Math.ceil(count / streamsPerConnection)) }, () => grpcTransport());
/** The launch of each task that runs. */
const running = new Map();
let acknowledged = 0;
let registered = 0;

function registration(index) {
  return {
    ...emptyMessage("Registration"),
    agentId: `bench-${index}`,
    name: `bench-${index}`,
    address: "127.0.0.1:1",
    ip: "127.0.0.1",
    resources: { cpuMillis: room * 10, memoryMiB: room * 32, diskMiB: 0, portCount: 0, custom: {} },
    attributes: [],
    version: "bench",
    bootId: "bench",
  };
}

function connect(index) {
  let statuses = [];
  let flushing = false;
  const outlet = transports[index % transports.length].open("Agents.Connect", address, {
    receive(message) {
      if (message.registered) registered++;
      acknowledged += message.acknowledgements.length;
      if (message.ping)
        outlet.send({ ...emptyMessage("ConnectRequest"), pong: { pingNumber: message.ping.pingNumber } });
      for (const { frameworkId, group } of message.launches)
        for (const { taskId } of group.tasks) {
          running.set(taskId, group.launchId);
          tell(taskId, group.launchId, frameworkId, TaskState.TASK_RUNNING, 1);
        }
      for (const { frameworkId, taskId } of message.kills) {
        if (!running.has(taskId)) continue;
        tell(taskId, running.get(taskId), frameworkId, TaskState.TASK_KILLED, 2);
        running.delete(taskId);
      }
      if (statuses.length > 0 && !flushing) {
        flushing = true;
        systemClock.after(0, flush);
      }
    },
    drained() {},
    closed(error) {
      process.stderr.write(`agent ${index}: ${error?.message ?? "closed"}\n`);
      process.exit(1);
    },
  });
  const tell = (taskId, launchId, frameworkId, state, sequence) =>
    statuses.push({
      ...blank,
      taskId,
      launchId,
      frameworkId,
      agentId: `bench-${index}`,
      updateId: `${taskId}/${sequence}`,
      state,
      sequence,
      at: Date.now(),
    });
  const flush = () => {
    flushing = false;
    outlet.send({ ...emptyMessage("ConnectRequest"), statuses });
    statuses = [];
  };
  outlet.send({ ...emptyMessage("ConnectRequest"), registration: registration(index), tasksComplete: true });
}

const blank = emptyMessage("TaskStatus");
for (let index = 0; index < count; index++) connect(index);
process.on("message", (what) => {
  if (what === "counts") process.send({ registered, acknowledged, running: running.size });
});
process.on("disconnect", () => process.exit(0));
