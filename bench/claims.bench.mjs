// How long it takes from the wish to start a task until it runs: by a claim, by offers of which the framework has said what
// it wants, and by offers that it revives. One task at a time, on agents that start what they are told to at once and live
// in the master's process; master and framework speak gRPC.
import { fork } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { emptyMessage } from "@muster/foundation";
import { createScheduler, nodeRuntime, resources } from "@muster/framework-sdk";
import { TaskState } from "@muster/proto";
import { median, quantile } from "./dev-cluster.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const agentCount = Number(process.env.MUSTER_BENCH_AGENTS ?? 10);
const taskCount = Number(process.env.MUSTER_BENCH_RUNS ?? 300);
const shape = resources({ cpuMillis: 500, memoryMiB: 256 });

export async function run(log) {
  const master = fork(join(root, "bench", "watch", "master.mjs"), [String(agentCount), "0"]);
  try {
    const { address } = await answerOf(master);
    const figures = [];
    for (const way of ["claim", "demand", "revive"]) {
      log(`claims: ${taskCount} tasks, one after the other, by ${way}`);
      const took = await measure(address, way);
      figures.push({ label: `${way} to RUNNING, median`, value: median(took), unit: "ms" });
      figures.push({ label: `${way} to RUNNING, p99`, value: quantile(took, 0.99), unit: "ms" });
    }
    return figures;
  } finally {
    master.kill();
  }
}

async function measure(address, way) {
  const framework = { name: `bench-${way}`, roles: [`bench-${way}`] };
  let wanted = [];
  let subscribed = () => {};
  let running = () => {};
  const scheduler = createScheduler(
    nodeRuntime({ logLevel: "error" }),
    { address, framework, durable: false, suppressedRoles: framework.roles },
    {
      subscribed: () => subscribed(),
      offers(offers) {
        for (const { offerId } of offers) {
          if (wanted.length > 0) scheduler.accept([offerId], wanted, { refuseMs: 0 });
          else scheduler.decline([offerId], 0);
          wanted = [];
        }
      },
      update({ state }) {
        if (state === TaskState.TASK_RUNNING) running(performance.now());
      },
    },
  );
  await new Promise((done) => {
    subscribed = done;
    scheduler.start();
  });
  const took = [];
  try {
    for (let index = 0; index < taskCount; index++) {
      const heard = new Promise((done) => {
        running = done;
      });
      const beganMs = performance.now();
      start(scheduler, way, index, (groups) => {
        wanted = groups;
      });
      took.push((await heard) - beganMs);
      if (way === "revive") scheduler.suppress();
    }
  } finally {
    scheduler.stop();
  }
  return took;
}

function start(scheduler, way, index, wants) {
  const task = { ...emptyMessage("TaskInfo"), taskId: `${way}-${index}`, name: "bench", resources: shape };
  const groups = [{ ...emptyMessage("TaskGroup"), launchId: `${way}-${index}`, tasks: [task] }];
  if (way === "claim") {
    scheduler.claim([{ agentId: `agent-${index % agentCount}`, groups }], {}, ([{ refusal }]) => {
      if (refusal) throw new Error(`${refusal.kind}: ${refusal.message}`);
    });
    return;
  }
  wants(groups);
  if (way === "demand") scheduler.demand([{ count: 1, resources: shape }]);
  else scheduler.revive();
}

function answerOf(child) {
  return new Promise((done, failed) => {
    child.once("message", done);
    child.once("exit", (code) => failed(new Error(`the master ended with ${code}`)));
  });
}
