// How many tasks a second go framework → master → agent → RUNNING → framework → acknowledged, and what that costs the
// master. Framework, master and agents are processes of their own and speak gRPC; the agents are simulated: no process
// is started for a task, so the figures compare with schedulers, not with container starts.
import { pause } from "./dev-cluster.mjs";
import { withProcesses } from "./master-process.mjs";

const agentCount = Number(process.env.MUSTER_BENCH_AGENTS ?? 1_000);
const taskCount = Number(process.env.MUSTER_BENCH_TASKS ?? 300_000);
/** Tasks of an accept. */
const shapes = process.env.MUSTER_BENCH_PER_ACCEPT?.split(",").map(Number) ?? [10, 50, 1];
/** With one task an accept so many show what there is to see. */
const singleTasksMax = 100_000;
/** Tasks on their way at most: more only lengthens queues. */
const inFlightMax = 20_000;

export async function run(log) {
  const figures = [];
  for (const perAccept of shapes) {
    const total = perAccept === 1 ? Math.min(taskCount, singleTasksMax) : taskCount;
    log(`launch: ${total} tasks on ${agentCount} agents, ${perAccept} an accept`);
    figures.push(...(await withProcesses((processes) => measure(processes, perAccept, total))));
  }
  return figures;
}

async function measure({ address, startMaster, start }, perAccept, total) {
  const master = await startMaster();
  const room = Math.ceil((total / agentCount) * 1.05) + perAccept;
  const agents = start("launch/agents.mjs", address, agentCount, room);
  const watcher = start("launch/watcher.mjs", address);
  while ((await agents.ask("counts")).registered < agentCount) await pause(50);
  const cpuBefore = master.cpuSeconds();
  const begin = process.hrtime.bigint();
  await launchAll(address, perAccept, total);
  while ((await agents.ask("counts")).acknowledged < total) await pause(20);
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  const cpu = master.cpuSeconds() - cpuBefore;
  const watched = await watcher.ask("counts");
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
    { label: `${label}: all of them`, value: seconds, unit: "s" },
    { label: `${label}: master CPU`, value: (cpu / total) * 1e6, unit: "µs/task" },
    { label: `${label}: master memory, most`, value: master.memoryMiB(), unit: "MiB" },
    { label: `${label}: feed read`, value: watched.bytes / 1e6, unit: "MB" },
  ];
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
