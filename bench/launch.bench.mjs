// How many tasks a second go framework → master → agent → RUNNING → framework → acknowledged, and what that costs the
// master. Framework, master and agents are processes of their own and speak gRPC; the agents are simulated: no process
// is started for a task, so the figures compare with schedulers, not with container starts.
import { fork, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { pause } from "./dev-cluster.mjs";
import { ask, cpuSeconds, freePort, memoryMiB, reachable } from "./processes.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const agentCount = Number(process.env.MUSTER_BENCH_AGENTS ?? 1_000);
const taskCount = Number(process.env.MUSTER_BENCH_TASKS ?? 300_000);
/** As docs/benchmarks.md tells operators of large clusters: young objects die before they are copied. */
const masterFlags = ["--max-semi-space-size=64"];
/** Tasks on their way at most: more only lengthens queues. */
const inFlightMax = 20_000;

export async function run(log) {
  const figures = [];
  for (const perAccept of [10, 1]) {
    const total = perAccept === 1 ? Math.min(taskCount, 100_000) : taskCount;
    log(`launch: ${total} tasks on ${agentCount} agents, ${perAccept} an accept`);
    figures.push(...(await measure(perAccept, total)));
  }
  return figures;
}

async function measure(perAccept, total) {
  const folder = mkdtempSync(join(tmpdir(), "muster-bench-"));
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const children = [];
  try {
    const muster = join(root, "cli", "bin", "muster.js");
    const master = spawn(
      process.execPath,
      [...masterFlags, muster, "daemon", "master", "--listen", address, "--data-dir", folder],
      {
        stdio: ["pipe", "ignore", "inherit"],
        env: { ...process.env, MUSTER_LOG_LEVEL: "error" },
      },
    );
    children.push(master);
    await reachable(port);
    const room = Math.ceil((total / agentCount) * 1.05) + perAccept;
    const agents = fork(join(root, "bench", "launch", "agents.mjs"), [address, String(agentCount), String(room)]);
    const watcher = fork(join(root, "bench", "launch", "watcher.mjs"), [address]);
    children.push(agents, watcher);
    while ((await ask(agents)).registered < agentCount) await pause(50);
    const cpuBefore = cpuSeconds(master.pid);
    const begin = process.hrtime.bigint();
    await launchAll(address, perAccept, total);
    while ((await ask(agents)).acknowledged < total) await pause(20);
    const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
    const cpu = cpuSeconds(master.pid) - cpuBefore;
    const watched = await ask(watcher);
    const label = `${perAccept} an accept`;
    const rate = total / seconds;
    return [
      {
        label: `${label}: tasks`,
        value: rate,
        unit: "tasks/s",
        peer: "Nomad C1M 3,750/s, real hosts",
        ratio: rate / 3_750,
      },
      { label: `${label}: master CPU`, value: (cpu / total) * 1e6, unit: "µs/task" },
      { label: `${label}: master memory`, value: memoryMiB(master.pid), unit: "MiB" },
      { label: `${label}: feed read`, value: watched.bytes / 1e6, unit: "MB" },
    ];
  } finally {
    for (const child of children) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Launches `total` tasks through the SDK's public driver and waits until each has told that it runs. */
async function launchAll(address, perAccept, total) {
  const { createScheduler, emptyMessage, nodeRuntime, TaskState } = await import("@muster/framework-sdk");
  const runtime = nodeRuntime({ logLevel: "error" });
  const need = { cpuMillis: 10, memoryMiB: 32, diskMiB: 0, portCount: 0, custom: {} };
  const spec = Buffer.alloc(200, 1);
  const blank = { ...emptyMessage("TaskInfo"), name: "bench", resources: need, spec };
  let launched = 0;
  let running = 0;
  await new Promise((done, failed) => {
    const held = [];
    const use = () => {
      while (held.length > 0 && launched < total && launched - running < inFlightMax) {
        const offer = held.pop();
        const fits = Math.floor(Math.min(offer.resources.cpuMillis / 10, offer.resources.memoryMiB / 32));
        const count = Math.min(perAccept, fits, total - launched);
        if (count === 0) {
          scheduler.decline([offer.offerId], 3_600_000);
          continue;
        }
        const groups = [];
        for (let i = 0; i < count; i++) {
          const taskId = `t-${launched++}`;
          groups.push({ launchId: `l-${taskId}`, tasks: [{ ...blank, taskId }], ports: [], networkMode: "host" });
        }
        scheduler.accept([offer.offerId], groups, { refuseMs: 0 });
      }
    };
    const scheduler = createScheduler(
      runtime,
      { address, framework: { name: "bench", roles: ["bench"] }, durable: false },
      {
        offers(offers) {
          for (const offer of offers) held.push(offer);
          use();
        },
        rescinded(offerId) {
          const index = held.findIndex((offer) => offer.offerId === offerId);
          if (index >= 0) held.splice(index, 1);
        },
        update(status) {
          if (status.state === TaskState.TASK_RUNNING) running++;
          else failed(new Error(`task ${status.taskId}: state ${status.state}, ${status.message}`));
          // The update is acknowledged after this has returned.
          if (running === total) setImmediate(() => scheduler.stop(done));
          else if (launched - running < inFlightMax / 2) use();
        },
      },
    );
    scheduler.start();
  });
  // The session's end flushed the last acknowledgements.
  runtime.close();
}
