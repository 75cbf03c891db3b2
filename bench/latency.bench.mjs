// How long news take in a real cluster: from a job's submission to its task running in the feed, and from an agent's
// status to the first UDP answer of DNS that differs.
import { createSocket } from "node:dgram";
import { emptyMessage, grpcTransport } from "@muster/foundation";
import { createScheduler, nodeRuntime } from "@muster/framework-sdk";
import { Health, TaskState, WatchKind } from "@muster/proto";
import { clusterFolder, median, pause, quantile, startCluster } from "./dev-cluster.mjs";
import { sleepers } from "./job.mjs";

const portOffset = 2_500;
const runCount = Number(process.env.MUSTER_BENCH_RUNS ?? 100);
const changeCount = Number(process.env.MUSTER_BENCH_CHANGES ?? 500);
const callTimeoutMs = 10_000;
/** Between two measurements, so that one does not pay for the end of the other. */
const restMs = 20;
const serviceName = "changing";

export async function run(log) {
  const { folder, remove } = clusterFolder();
  try {
    const cluster = await startCluster(folder, portOffset);
    try {
      log(`latency: ${runCount} jobs, one after the other`);
      const runs = await jobsToRunning(cluster.ready.master.address);
      log(`latency: ${changeCount} changes of a task's health`);
      const changes = await statusesToAnswers(cluster.ready);
      return [
        { label: "job to RUNNING in Watch, median", value: median(runs), unit: "ms", peer: "bar 60 ms" },
        { label: "job to RUNNING in Watch, p99", value: quantile(runs, 0.99), unit: "ms", peer: "bar 200 ms" },
        { label: "status to changed DNS answer, median", value: median(changes), unit: "ms" },
        { label: "status to changed DNS answer, p99", value: quantile(changes, 0.99), unit: "ms", peer: "bar 20 ms" },
      ];
    } finally {
      await cluster.stop();
    }
  } finally {
    remove();
  }
}

/** Milliseconds from Jobs.Run to TASK_RUNNING in Watch.Events, for jobs of one process each. */
async function jobsToRunning(address) {
  const transport = grpcTransport();
  const call = (method, request) =>
    new Promise((done, failed) => {
      transport.call(method, address, request, callTimeoutMs, (result) =>
        result.ok ? done(result.value) : failed(result.error),
      );
    });
  let heard = () => {};
  const cancel = transport.follow(
    "Watch.Events",
    address,
    { ...emptyMessage("EventsRequest"), kinds: [WatchKind.WATCH_KIND_TASKS] },
    {
      receive: ({ events }) => {
        for (const { task } of events) if (task?.status) heard(task.taskId, task.status.state);
      },
      drained: () => {},
      closed: () => {},
    },
  );
  const measured = [];
  try {
    for (let index = 0; index < runCount; index++) {
      const name = `bench-${index}`;
      const job = sleepers({ name });
      const running = new Promise((done, failed) => {
        heard = (taskId, state) => {
          if (!taskId.startsWith(`${name}.`)) return;
          if (state === TaskState.TASK_RUNNING) done(performance.now());
          else if (state > TaskState.TASK_RUNNING) failed(new Error(`${taskId} is in state ${state}`));
        };
      });
      const beganMs = performance.now();
      await call("Jobs.Run", { job });
      measured.push((await running) - beganMs);
      const ended = new Promise((done) => {
        heard = (taskId, state) => {
          if (taskId.startsWith(`${name}.`) && state > TaskState.TASK_KILLING) done();
        };
      });
      await call("Jobs.Stop", { name, purge: true });
      await ended;
      await pause(restMs);
    }
  } finally {
    cancel();
    transport.close();
  }
  return measured;
}

/**
 * Milliseconds from the moment at which an agent sends a status to the first UDP answer that differs. A framework of
 * its own launches two tasks with one name on an agent of its own; the second's health changes to and fro.
 */
async function statusesToAnswers({ master, dns }) {
  const agent = new BenchAgent(master.address);
  const runtime = nodeRuntime({ logLevel: "error" });
  const dnsClient = new DnsClient(dns.address, `_http._${serviceName}._tcp.bench.${dns.domain}`);
  const scheduler = createScheduler(
    runtime,
    { address: master.address, framework: { name: "bench", roles: ["bench"] }, durable: false },
    {
      offers(offers) {
        for (const { offerId, agentId } of offers) {
          if (agentId === agent.id && !agent.isUsed) {
            agent.isUsed = true;
            scheduler.accept([offerId], [group("a"), group("b")]);
          } else scheduler.decline([offerId], 3_600_000);
        }
      },

      update() {},
    },
  );
  const measured = [];
  try {
    scheduler.start();
    await dnsClient.until(2);
    for (let change = 0; change < changeCount; change++) {
      const isHealthy = change % 2 === 1;
      await pause(restMs);
      const beganMs = performance.now();
      agent.tell("b", isHealthy ? Health.HEALTH_HEALTHY : Health.HEALTH_UNHEALTHY);
      await dnsClient.until(isHealthy ? 2 : 1);
      measured.push(performance.now() - beganMs);
    }
  } finally {
    scheduler.stop(() => runtime.close());
    agent.close();
    dnsClient.close();
  }
  return measured;
}

function group(taskId) {
  const need = { cpuMillis: 10, memoryMiB: 32, diskMiB: 0, portCount: 0, custom: {} };
  const endpoints = [{ name: serviceName, portLabel: "http", protocol: "tcp", tags: [] }];
  return {
    launchId: `launch-${taskId}`,
    tasks: [
      {
        ...emptyMessage("TaskInfo"),
        taskId,
        name: serviceName,
        resources: need,
        discovery: { endpoints },
        spec: Buffer.alloc(0),
      },
    ],
    ports: [{ ...emptyMessage("PortRequest"), label: "http" }],
    networkMode: "host",
  };
}

/** The least that speaks an agent's part: it runs nothing, and tells what it is told to tell. */
class BenchAgent {
  id = "bench-agent";
  isUsed = false;
  #tasks = new Map();
  #transport = grpcTransport();
  #outlet;

  constructor(address) {
    this.#outlet = this.#transport.open("Agents.Connect", address, {
      receive: (message) => this.#receive(message),
      drained: () => {},
      closed: () => {},
    });
    const registration = {
      ...emptyMessage("Registration"),
      agentId: this.id,
      name: this.id,
      address: "127.0.0.1:1",
      ip: "127.0.0.1",
      resources: { cpuMillis: 1_000, memoryMiB: 1_000, diskMiB: 0, portCount: 100, custom: {} },
      dynamicPortFirst: 50_000,
      dynamicPortLast: 50_099,
      version: "bench",
      bootId: "bench",
      networkModes: ["host"],
    };
    this.#outlet.send({ ...emptyMessage("ConnectRequest"), registration, tasksComplete: true });
  }

  tell(taskId, health) {
    const task = this.#tasks.get(taskId);
    task.sequence++;
    const status = {
      ...emptyMessage("TaskStatus"),
      taskId,
      launchId: task.launchId,
      frameworkId: task.frameworkId,
      agentId: this.id,
      state: TaskState.TASK_RUNNING,
      health,
      sequence: task.sequence,
      updateId: `${taskId}-${task.sequence}`,
      at: Date.now(),
      container: {
        pid: 1,
        ips: [],
        ports: [{ ...emptyMessage("AssignedPort"), label: "http", number: task.port, ip: "127.0.0.1" }],
      },
    };
    this.#outlet.send({ ...emptyMessage("ConnectRequest"), statuses: [status] });
  }

  close() {
    this.#outlet.end();
    this.#transport.close();
  }

  #receive(message) {
    if (message.ping)
      this.#outlet.send({ ...emptyMessage("ConnectRequest"), pong: { pingNumber: message.ping.pingNumber } });
    for (const { frameworkId, group } of message.launches)
      for (const { taskId } of group.tasks) {
        const port = 50_000 + this.#tasks.size;
        this.#tasks.set(taskId, { launchId: group.launchId, frameworkId, port, sequence: 0 });
        this.tell(taskId, Health.HEALTH_HEALTHY);
      }
  }
}

/** Asks one name over one UDP socket, one question after the other. */
class DnsClient {
  #socket = createSocket("udp4");
  #question;
  #port;
  #got = () => {};

  constructor(address, name) {
    this.#port = Number(address.split(":")[1]);
    const labels = name.split(".").map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
    this.#question = Buffer.concat([
      Buffer.from([0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
      ...labels,
      Buffer.from([0, 0, 33, 0, 1]),
    ]);
    this.#socket.on("message", (answer) => this.#got(answer.readUInt16BE(6)));
  }

  /** Resolves at the first answer with so many records. */
  until(count) {
    return new Promise((done, failed) => {
      const beganMs = performance.now();
      const ask = () => this.#socket.send(this.#question, this.#port, "127.0.0.1");
      const again = setInterval(() => {
        if (performance.now() - beganMs > callTimeoutMs) {
          clearInterval(again);
          failed(new Error(`no answer with ${count} records`));
        } else ask();
      }, 1_000);
      this.#got = (answers) => {
        if (answers !== count) return ask();
        clearInterval(again);
        this.#got = () => {};
        done();
      };
      ask();
    });
  }

  close() {
    this.#socket.close();
  }
}
