// How long a reader of the feed waits for the snapshot of a large cluster, and how much that delays a framework's stream.
// Master, reader and framework are processes of their own and speak gRPC; the agents live in the master's process.
import { fork } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createScheduler, nodeRuntime } from "@muster/framework-sdk";
import { median, pause, quantile } from "./dev-cluster.mjs";

import { answerOf, ask } from "./processes.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const agentCount = Number(process.env.MUSTER_BENCH_AGENTS ?? 20_000);
const tasksPerAgent = 10;
const snapshotCount = Number(process.env.MUSTER_BENCH_RUNS ?? 5);
/** Between two questions of the framework whose stream is watched. */
const questionEveryMs = 5;

export async function run(log) {
  log(`watch: ${agentCount} agents with ${agentCount * tasksPerAgent} tasks`);
  const flags = { execArgv: ["--max-semi-space-size=64"] };
  const master = fork(join(root, "bench", "watch", "master.mjs"), [String(agentCount), String(tasksPerAgent)], flags);
  try {
    const { address } = await answerOf(master);
    const stream = openStream(address);
    try {
      await pause(500);
      const quiet = await stream.delays(async () => pause(1_000));
      const took = [];
      const cpuMs = [];
      const delays = [];
      for (let round = 0; round < snapshotCount; round++) {
        delays.push(
          ...(await stream.delays(async () => {
            const cpuBefore = await cpuOf(master);
            const reader = fork(join(root, "bench", "watch", "reader.mjs"), [address]);
            const { milliseconds, messages, megabytes } = await answerOf(reader);
            reader.disconnect();
            log(`watch: snapshot ${round + 1}: ${Math.round(milliseconds)} ms, ${messages} messages, ${megabytes} MB`);
            took.push(milliseconds);
            cpuMs.push((await cpuOf(master)) - cpuBefore);
          })),
        );
        await pause(300);
      }
      return [
        {
          label: "snapshot to a reader, median",
          value: median(took),
          unit: "ms",
          peer: "Mesos 3,100 ms as JSON; bar 1,000",
        },
        { label: "snapshot to a reader, longest", value: Math.max(...took), unit: "ms" },
        { label: "master's CPU meanwhile, median", value: median(cpuMs), unit: "ms" },
        { label: "answer on another stream, quiet, median", value: median(quiet), unit: "ms" },
        { label: "answer on another stream meanwhile, p99", value: quantile(delays, 0.99), unit: "ms" },
        {
          label: "answer on another stream meanwhile, longest",
          value: Math.max(...delays),
          unit: "ms",
          peer: "bar 100 ms",
        },
      ];
    } finally {
      stream.close();
    }
  } finally {
    master.kill();
  }
}

/** A framework's stream on which something is asked all the time. */
function openStream(address) {
  let answered = () => {};
  const scheduler = createScheduler(
    nodeRuntime({ logLevel: "error" }),
    { address, framework: { name: "asking", roles: ["asking"] }, durable: false, suppressedRoles: ["asking"] },
    { offers() {}, update: () => answered() },
  );
  scheduler.start();
  let number = 0;
  const ask = () =>
    new Promise((done) => {
      const beganMs = performance.now();
      answered = () => done(performance.now() - beganMs);
      // A task that nobody knows: the answer is an update, and costs the master next to nothing.
      scheduler.kill(`nobody-${++number}`);
    });
  return {
    close: () => scheduler.stop(),
    delays: async (during) => {
      const delays = [];
      let over = false;
      const asking = (async () => {
        while (!over) {
          delays.push(await ask());
          await pause(questionEveryMs);
        }
      })();
      await during();
      over = true;
      await asking;
      return delays;
    },
  };
}

async function cpuOf(master) {
  return (await ask(master, "cpu")).cpuMs;
}
