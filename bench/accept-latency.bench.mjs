// How long an accept takes to become a running task while a hundred frameworks launch all the time: from the call of the
// SDK to the update in its callback, over the master and a simulated agent that answers at once.
import { createScheduler, emptyMessage, nodeRuntime, TaskState } from "@muster/framework-sdk";
import { median, pause, quantile } from "./dev-cluster.mjs";
import { withProcesses } from "./master-process.mjs";

const agentCount = 1_000;
const frameworkCount = 100;
const tasksPerSecond = Number(process.env.MUSTER_BENCH_RATE ?? 5_000);
const secondsPerShape = 10;
/** Before it is measured: the just-in-time compiler takes its time. */
const warmUpSeconds = 5;
/** Tasks of one agent at most. */
const room = 1_000;
const need = { cpuMillis: 10, memoryMiB: 32, diskMiB: 0, portCount: 0, custom: {} };

export async function run(log) {
  const figures = [];
  for (const perAccept of [10, 1]) {
    log(`accept-latency: ${frameworkCount} frameworks, ${tasksPerSecond} tasks/s in all, ${perAccept} an accept`);
    figures.push(...(await withProcesses((processes) => measure(processes, perAccept))));
  }
  return figures;
}

async function measure({ address, startMaster, start }, perAccept) {
  const master = await startMaster();
  const agents = start("launch/agents.mjs", address, agentCount, room);
  while ((await agents.ask("counts")).registered < agentCount) await pause(50);
  const runtime = nodeRuntime({ logLevel: "error" });
  const frameworks = Array.from({ length: frameworkCount }, (_, index) => launcher(runtime, address, index, perAccept));
  try {
    // Before anything is launched every framework shall have its part of the agents.
    while (frameworks.some(({ isOffered }) => !isOffered())) await pause(20);
    const quiet = [];
    for (let round = 0; round < 300; round++) {
      quiet.push(await frameworks[round % frameworkCount].launchOnce());
      await pause(5);
    }
    await load(frameworks, perAccept, warmUpSeconds);
    const cpuBefore = master.cpuSeconds();
    const { delays, seconds } = await load(frameworks, perAccept, secondsPerShape);
    const cpu = master.cpuSeconds() - cpuBefore;
    const label = `${perAccept} an accept`;
    const added = quantile(delays, 0.99) - median(quiet);
    return [
      { label: `${label}: launched`, value: (delays.length * perAccept) / seconds, unit: "tasks/s" },
      { label: `${label}: accept to RUNNING, quiet, median`, value: median(quiet), unit: "ms" },
      { label: `${label}: accept to RUNNING, median`, value: median(delays), unit: "ms" },
      { label: `${label}: accept to RUNNING, p99`, value: quantile(delays, 0.99), unit: "ms" },
      { label: `${label}: added by the others, p99`, value: added, unit: "ms", peer: "bar 20 ms" },
      { label: `${label}: master's processor`, value: (100 * cpu) / seconds, unit: "%" },
    ];
  } finally {
    await Promise.all(frameworks.map(({ stop }) => stop()));
    runtime.close();
  }
}

/** Every framework launches at its own beat, all beats spread over time; what is late is not made up for. */
async function load(frameworks, perAccept, seconds) {
  const everyMs = (1_000 * perAccept * frameworks.length) / tasksPerSecond;
  const delays = [];
  const waiting = [];
  const beganMs = performance.now();
  const untilMs = beganMs + seconds * 1_000;
  await Promise.all(
    frameworks.map(async ({ launchOnce }, index) => {
      for (let dueMs = beganMs + (everyMs * index) / frameworks.length; dueMs < untilMs; dueMs += everyMs) {
        await pause(Math.max(0, dueMs - performance.now()));
        waiting.push(launchOnce().then((delayMs) => delays.push(delayMs)));
      }
    }),
  );
  await Promise.all(waiting);
  return { delays, seconds: (performance.now() - beganMs) / 1_000 };
}

/** A framework that launches when it is told to; the answer is how long it took until all of them ran. */
function launcher(runtime, address, index, perAccept) {
  const blank = { ...emptyMessage("TaskInfo"), name: "bench", resources: need, spec: Buffer.alloc(200, 1) };
  const held = [];
  const wanted = [];
  const running = new Map();
  let launched = 0;
  const use = () => {
    while (wanted.length > 0 && held.length > 0) {
      const offer = held.shift();
      const done = wanted.shift();
      const groups = [];
      const accept = { beganMs: performance.now(), left: perAccept, done };
      for (let count = 0; count < perAccept; count++) {
        const taskId = `t-${index}-${launched++}`;
        running.set(taskId, accept);
        groups.push({ ...emptyMessage("TaskGroup"), launchId: `l-${taskId}`, tasks: [{ ...blank, taskId }] });
      }
      scheduler.accept([offer.offerId], groups, { refuseMs: 0 });
    }
  };
  const scheduler = createScheduler(
    runtime,
    { address, framework: { name: `bench-${index}`, roles: ["bench"] }, durable: false },
    {
      offers: (offers) => {
        held.push(...offers);
        use();
      },
      rescinded: (offerId) => {
        const at = held.findIndex((offer) => offer.offerId === offerId);
        if (at >= 0) held.splice(at, 1);
      },
      update: (status) => {
        if (status.state !== TaskState.TASK_RUNNING) throw new Error(`${status.taskId}: ${status.message}`);
        const accept = running.get(status.taskId);
        running.delete(status.taskId);
        if (accept !== undefined && --accept.left === 0) accept.done(performance.now() - accept.beganMs);
      },
    },
  );
  scheduler.start();
  return {
    isOffered: () => held.length > 0,
    launchOnce: () =>
      new Promise((done) => {
        wanted.push(done);
        use();
      }),
    stop: () => new Promise((done) => scheduler.stop(done)),
  };
}
